"""The process that trains: it never touches the study, and persists from network to network.

messages: what the two sides tell each other. work: what a worker can be given to do. process: takes work from a pipe
until it closes. trainer: what it has for that. searching: the work of a search. result: the files that such a training
leaves. sent: a data set that is brought to this machine. memory: what a training took, and what this machine has left.
"""

from igcnas.search.worker.messages import Probed, WorkerSetup, joined
from igcnas.search.worker.result import check_weights, read_result
from igcnas.search.worker.work import Job, Probe, Work

__all__ = ["Job", "Probe", "Probed", "Work", "WorkerSetup", "check_weights", "joined", "read_result"]
