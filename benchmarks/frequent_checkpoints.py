"""igcnas search with a checkpoint every few steps of a training, for `benchmarks.kill_anywhere`.

The worker process imports the main module of its parent, so that this holds in it, too.
"""

from __future__ import annotations

import igcnas.training.trainer

igcnas.training.trainer._CHECKPOINT_SECONDS = 0.05

if __name__ == "__main__":
    from igcnas.cli import main

    raise SystemExit(main())
