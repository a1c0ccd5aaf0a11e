"""Studies beside each other: fronts, hypervolume over what was spent, and tests between repeated searches.

search: a study as it is compared. agreement: which studies may be compared at all. methods: which are repeats of one
method. progress: what a search had found when. result: the numbers. differences: the tests between methods. table and
figure: words and pictures of them.
"""

from igcnas.results.comparison.agreement import panels
from igcnas.results.comparison.methods import Method, by_settings, given
from igcnas.results.comparison.result import Comparison, compare

__all__ = ["Comparison", "Method", "by_settings", "compare", "given", "panels"]
