"""Training on the machines of a Ray cluster: the evaluator of a search whose workers are elsewhere.

The controller and its rules stay (`evaluation.pool`); here is what is between it and a worker on another machine.
cluster: the connection, and which nodes there are. evaluator: a place an actor, as many as the nodes have room for.
host: the actor, which starts a worker process on its node and passes on what the two sides say. remote: that process,
seen from the controller. joining: what must be the same where a worker joins. scratch: a folder of a node. parcel: the
files of a training, there and back.

Ray is imported when it is asked for, and knows nothing of trainings: it starts actors, says which nodes are there, and
carries bytes. Nothing is retried by it.
"""

from igcnas.search.cluster.cluster import Cluster, Node, RaySettings
from igcnas.search.cluster.evaluator import RayEvaluator

__all__ = ["Cluster", "Node", "RayEvaluator", "RaySettings"]
