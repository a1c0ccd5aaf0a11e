"""What a study knows of its networks: the only writer and the only reader of the attributes of its trials.

trial: one training. networks: a network with all its trainings, and which of them are best. table: all as a table.
exports: what they measured on the test split. frames: tables of a study that is named, in one call.
"""

from igcnas.search.records.exports import Tested, exports_of
from igcnas.search.records.frames import curves, frame, networks_frame, to_frame
from igcnas.search.records.networks import (
    Network,
    best,
    champions,
    counted,
    front,
    networks,
    repeats,
    trained,
)
from igcnas.search.records.trial import (
    RESULT_ATTRIBUTES,
    TrialRecord,
    proposal_attributes,
    record_of,
    records,
    records_of,
)
from igcnas.statistics.noise import standard_error as standard_error

__all__ = [
    "RESULT_ATTRIBUTES",
    "Network",
    "Tested",
    "TrialRecord",
    "best",
    "champions",
    "counted",
    "curves",
    "exports_of",
    "frame",
    "front",
    "networks",
    "networks_frame",
    "proposal_attributes",
    "record_of",
    "records",
    "records_of",
    "repeats",
    "standard_error",
    "to_frame",
    "trained",
]
