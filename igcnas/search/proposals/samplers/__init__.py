"""Who proposes structures: the generators behind the names of igcnas/search/samplers.py, and what they are told.

knowledge: what is known when one is asked. evolution: at random, regularized evolution, local search. bayesian: a
Gaussian process. of_optuna: TPE, NSGA-II.
"""

from igcnas.search.proposals.samplers.evolution import at_random, best_few
from igcnas.search.proposals.samplers.knowledge import Knowledge, Scored
from igcnas.search.samplers import AUTO, SAMPLERS, Sampler, resolve_sampler, sampler_named

__all__ = [
    "AUTO",
    "SAMPLERS",
    "Knowledge",
    "Sampler",
    "Scored",
    "at_random",
    "best_few",
    "resolve_sampler",
    "sampler_named",
]
