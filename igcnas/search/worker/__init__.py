"""The process that trains: it never touches the study, and persists from network to network.

messages: what the two sides tell each other. process: serves jobs from a pipe until it closes. trainer: one job.
result: the files that a training leaves. memory: what a training took, and what this machine has left.
"""

from igcnas.search.worker.messages import Job, Probe, Probed, WorkerSetup
from igcnas.search.worker.result import check_weights, read_result

__all__ = ["Job", "Probe", "Probed", "WorkerSetup", "check_weights", "read_result"]
