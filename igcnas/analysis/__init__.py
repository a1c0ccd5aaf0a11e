"""Studies of the theory and of recorded results. In the repository they lie in analysis/ beside igcnas/.

A wheel holds them here, in place of this file. Only the command line looks here.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "analysis")]
