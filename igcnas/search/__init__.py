"""The search: one process owns a study while it runs, proposes, has networks trained, and tells the study.

controller: the loop that keeps every slot busy. agenda: what is trained next. flight: one training while it goes on.
queue: what enters the study, and what a killed run left in it. limits: settings that cannot work. observing: the study
as a proposer sees it, or saw it. replaying: its proposals once more. pruning: which training ends early. spared: how
often that was wrong. repeating: further seeds for those that may be the best. report: what a search tells.
"""

from igcnas.search.controller import Search
from igcnas.search.limits import Limits, check_budget, check_pruner
from igcnas.search.observing import observations
from igcnas.search.repeating import Repeating, Standing, standing
from igcnas.search.replaying import replay
from igcnas.search.report import Progress, Summary
from igcnas.search.spared import SparedAudit, audit_spared

__all__ = [
    "Limits",
    "Progress",
    "Repeating",
    "Search",
    "SparedAudit",
    "Standing",
    "Summary",
    "audit_spared",
    "check_budget",
    "check_pruner",
    "observations",
    "replay",
    "standing",
]
