"""Does accuracy at equal MACs peak near L = M S? The question of the IGC paper's Fig. 3, asked by experiment.

    python -m analysis.width_optimum --train

Zhang et al., ICCV 2017 (arXiv:1707.02725). That the width is largest at L = M S is algebra (analysis.width.lattice);
that accuracy follows the width is not. Here networks of equal MACs and equal depth differ in L / (M S) alone, are
trained with the same recipe on the same images in the same order, several times, and a rule that is fixed beforehand
(verdict.py) says whether the data support, contradict, or cannot tell. docs/width-trial.md has the method and results.
"""

from __future__ import annotations

from .command import add_arguments, main, run

__all__ = ["add_arguments", "main", "run"]
