"""The search: one process owns a study while it runs, proposes, has networks trained, and tells the study.

study: all that one holds, read once. settings, objective, folder, storage, provenance: what was searched and compared,
where it is, its journal, who made it. playback, snapshot: what a long journal says, read fast. space: what may be
searched. proposals: what is trained next, and what is ended early. records: what a study knows of its networks. worker,
evaluation: processes that train, and our side of them. campaign: a list of trainings beyond the search. additions: what
other packages bring.

controller: the loop that keeps every slot busy. agenda: what is trained next. flight: one training while it goes on.
queue: what enters the study, and what a killed run left in it. checks: settings that cannot work. observing: the study
as a proposer sees it, or saw it. pruning: which training ends early. spared: how often that was wrong. repeating:
further seeds for those that may be the best. report: what a search tells. callbacks: the same, told to a user's own.

The package can be called: `igcnas.search(...)` is the Python interface (igcnas/api/searching.py), and its name is that
of this wing.
"""

from igcnas.moved import called, lending

called(__name__, by="igcnas.api.searching:search")

__getattr__ = lending(__name__, {"Search": "igcnas.search.controller", "replay": "igcnas.search.observing"})
