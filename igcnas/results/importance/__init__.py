"""Which choices of a search space matter, and which of their values are better, told from the networks of a study.

samples.py: the searched networks of a study, each with its errors beside those of networks of the same MACs.
evaluators.py: how much each choice matters. effects.py: how many errors fewer a value makes. analysis.py: both with
intervals, by resampling networks. names.py: what choices are called in words. figure.py: the picture. keeping.py: a
report that was made, for the same networks.
"""

from igcnas.results.importance.analysis import Choice, Effect, Report, analyse
from igcnas.results.importance.evaluators import DEFAULT, EVALUATORS
from igcnas.results.importance.samples import Sample, samples_of

__all__ = ["DEFAULT", "EVALUATORS", "Choice", "Effect", "Report", "Sample", "analyse", "samples_of"]
