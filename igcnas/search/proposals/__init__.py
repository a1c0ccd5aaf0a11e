"""Which network to train next, and which training to end early.

    proposer = Proposer(SpaceDomain(...), budget=..., ...)
    proposal = proposer.propose(observations, seen)      # None: the space holds no further network

domain: what is searched, and what is known of a network. reference: how good it is for its cost. samplers: who
asks. mirror: the study as a sampler sees it. proposer: the loop that never trains a repeat or a misfit. halving: when a
training ends early.
"""

from igcnas.search.proposals.domain import Candidate, Domain, Observation, SpaceDomain
from igcnas.search.proposals.halving import Halving, is_spared
from igcnas.search.proposals.proposer import Proposal, Proposer, Tally
from igcnas.search.proposals.reference import Judge
from igcnas.search.proposals.samplers import AUTO, SAMPLERS, resolve_sampler

__all__ = [
    "AUTO",
    "SAMPLERS",
    "Candidate",
    "Domain",
    "Halving",
    "Judge",
    "Observation",
    "Proposal",
    "Proposer",
    "SpaceDomain",
    "Tally",
    "is_spared",
    "resolve_sampler",
]
