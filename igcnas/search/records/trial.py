"""One training of a study, as its trial in Optuna tells it.

Words: a searched network was proposed by a sampler, a known one is of the literature (`baseline`), a repeat is one more
training of a network that the study holds, with another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from msgspec import UNSET, UnsetType

from igcnas.errors import ArchitectureError, StudyError
from igcnas.network.architecture import Architecture
from igcnas.network.budget import TIME, Budget, limit_named
from igcnas.network.plan import plan
from igcnas.system import bounds
from igcnas.system.reading import as_kind

if TYPE_CHECKING:
    import optuna

    from igcnas.search.playback import ReadTrial

    AnyTrial = optuna.trial.FrozenTrial | ReadTrial

_STATES = {"COMPLETE": "complete", "RUNNING": "running", "WAITING": "running", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One training of a network. macs and params are expected before training; measured_* hold after it.

    The two differ only where training chose groups of unequal sizes. curve holds (epoch, training loss, accuracy).
    target: what it was solved for, of the limit target_of. planned_limits: what was predicted of limits that no plan
    alone tells, by name. measured_limits: as measured_*, of other limits by name.
    state is complete, pruned (ended after epoch pruned_at; val_accuracy is of that epoch), failed or running. repeat is
    0 for the first training of a network; for others repeat_of is the number of the first. spared_at: the epoch after
    which it would have been pruned, had it not been finished to see whether pruning is right. Equal networks have equal
    canonical ids. latency_*: median and interquartile range in ms, where the study measures them; by which
    runtime, batch, threads and machine; and whether no other program had the core meanwhile. pending: the networks
    of lower numbers that were still in training when this one was proposed. origin: where the choices of a searched
    network come from: 'random' (drawn whatever was known), 'sampler', 'changes' (of the best few); '' where a study of
    before does not say, and for others. steps: what trained it: 'eager' (stock PyTorch), 'program' (igcnas's own, on a
    CPU) or 'graph' (eager steps captured in a CUDA graph); None where a study of before does not say. val_accuracy, and
    those of the curve, are by the metric of the study: balanced accuracy where it says so, and then class_right has the
    right answers of each class.
    """

    number: int
    state: str
    architecture: Architecture
    macs: int
    params: int
    target: int
    baseline: str | None
    seed: int
    epochs: int
    canonical_id: str = ""
    target_of: str = "macs"
    repeat: int = 0
    repeat_of: int | None = None
    pending: tuple[int, ...] = ()
    origin: str = ""
    measured_macs: int | None = None
    measured_params: int | None = None
    measured_limits: Mapping[str, int] = field(default_factory=dict, hash=False)
    planned_limits: Mapping[str, int] = field(default_factory=dict, hash=False)
    val_accuracy: float | None = None
    class_right: tuple[int, ...] = ()
    seconds: float | None = None
    device: str | None = None
    steps: str | None = None
    peak_memory_mb: float | None = None
    latency_ms: float | None = None
    latency_iqr_ms: float | None = None
    latency_by: str | None = None
    latency_quiet: bool | None = None
    curve: tuple[tuple[int, float, float], ...] = ()
    pruned_at: int | None = None
    spared_at: int | None = None
    reason: str | None = None

    @property
    def final_macs(self) -> int:
        """MACs of the network as it would run: measured where training has changed them."""
        return self.macs if self.measured_macs is None else self.measured_macs

    @property
    def final_params(self) -> int:
        """Parameters of the network as it would run."""
        return self.params if self.measured_params is None else self.measured_params

    @property
    def searched(self) -> bool:
        """Whether a sampler proposed it: neither a baseline nor a repeat."""
        return self.baseline is None and self.repeat == 0

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Validation accuracy in percent after each epoch so far; the last one is that of the network as it ended.

        A search may change a trained network so that it keeps its plan (settling of gates): that is not in the curve.
        """
        curve = tuple(accuracy for _, _, accuracy in self.curve)
        if self.state != "complete" or self.val_accuracy is None:
            return curve
        return (*curve[:-1], self.val_accuracy)

    def planned(self, limit: str) -> int:
        """What the network uses of a limit of a budget, as planned."""
        known = {"macs": self.macs, "params": self.params, **self.planned_limits}
        return known[limit] if limit in known else limit_named(limit).of(plan(self.architecture))

    def used(self, limit: str) -> int:
        """What the network as it would run uses of a limit of a budget; as planned where that was not measured."""
        known = {"macs": self.final_macs, "params": self.final_params, **self.measured_limits}
        if self.latency_ms is not None:
            known[TIME.name] = round(self.latency_ms * TIME.size)
        return known[limit] if limit in known else self.planned(limit)

    def within(self, budget: Budget) -> bool:
        """Whether the trained network keeps the budget; a time may be over by its spread."""
        used = {name: self.used(name) for name in budget.limits}
        if TIME.name in used and self.latency_ms is not None:
            used[TIME.name] -= round((self.latency_iqr_ms or 0.0) * TIME.size)
        return budget.allows(used)


def proposal_attributes(
    architecture: Architecture,
    *,
    macs: int,
    params: int,
    target: int,
    baseline: str | None,
    seed: int,
    epochs: int,
    canonical_id: str = "",
    repeat: int = 0,
    repeat_of: int | None = None,
    planned_limits: Mapping[str, int] | None = None,
    origin: str = "",
    pending: Sequence[int] = (),
    target_of: str = "macs",
) -> dict[str, Any]:
    """User attributes of a trial before it is trained: all that is needed to train it again."""
    more = {"origin": origin, "pending": list(pending), "planned_limits": dict(planned_limits or {})}
    return (
        {
            "architecture": architecture.to_json(),
            "architecture_id": architecture.id,
            "canonical_id": canonical_id,
            "family": architecture.family,
            "label": architecture.label(),
            "macs": macs,
            "params": params,
            "baseline": baseline,
            "seed": seed,
            "epochs": epochs,
            "repeat": repeat,
            "repeat_of": repeat_of,
        }
        | ({"target_macs": target} if target_of == "macs" else {"target": target, "target_of": target_of})
        | {key: value for key, value in more.items() if value}
    )


RESULT_ATTRIBUTES = (
    "val_accuracy",
    "seconds",
    "device",
    "steps",
    "measured_macs",
    "measured_params",
    "peak_memory_mb",
    "latency_ms",
    "latency_iqr_ms",
    "curve",
)
_PROPOSED = ("macs", "params", "baseline", "seed", "epochs", "target_of")
_ADVICE = "restore its journal from a copy, or search again under another --study name"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attributes:
    """What a journal may say of a training: a file that anybody can have changed."""

    macs: bounds.Positive
    params: bounds.Count
    target_macs: bounds.Positive | None = None
    target: bounds.Positive | None = None
    target_of: str = "macs"
    measured_limits: Mapping[str, bounds.Count] = field(default_factory=dict)
    planned_limits: Mapping[str, bounds.Count] = field(default_factory=dict)
    baseline: str | None
    seed: bounds.Seed
    epochs: bounds.Epochs
    canonical_id: str = ""
    repeat: bounds.Networks = 0
    repeat_of: bounds.Networks | None = None
    pending: tuple[bounds.Networks, ...] = ()
    origin: str = ""
    measured_macs: bounds.Positive | None = None
    measured_params: bounds.Count | None = None
    val_accuracy: bounds.Percent | None = None
    class_right: tuple[bounds.Count, ...] = ()
    seconds: bounds.Seconds | None = None
    device: str | None = None
    steps: str | None = None
    peak_memory_mb: float | None = None
    latency_ms: bounds.Seconds | None = None
    latency_iqr_ms: bounds.Seconds | None = None
    latency_by: str | None = None
    latency_quiet: bool | None = None
    curve: tuple[tuple[bounds.Epochs, float, bounds.Percent], ...] = ()
    pruned_at: bounds.Epochs | None = None
    spared_at: bounds.Epochs | None = None
    reason: str | None = None
    starts: bounds.Count = 0
    reached: bounds.Count = 0
    checkpoint: bounds.Count | None = None
    architecture: str | UnsetType = UNSET
    architecture_id: str = ""


@lru_cache(maxsize=16_384)
def _architecture(text: str) -> Architecture:
    """Checking a network takes longer than reading it, and a search reads all of them before each training."""
    return Architecture.from_json(text)


def _attributes(trial: AnyTrial) -> tuple[_Attributes, Architecture]:
    where = f"network {trial.number} of the study"
    found = as_kind(trial.user_attrs, _Attributes, where=where, advice=_ADVICE)
    if getattr(trial, "checked", False) and found.architecture_id:
        return found, Architecture.unread(str(found.architecture), found.architecture_id)
    try:
        return found, _architecture(str(found.architecture))
    except ArchitectureError as error:
        raise StudyError(f"{where} is damaged ({error}); {_ADVICE}") from None


def _target(found: _Attributes, number: int) -> int:
    target = found.target_macs if found.target is None else found.target
    if target is None:
        raise StudyError(f"network {number} of the study is damaged (it has no target_macs); {_ADVICE}")
    return target


def record_of(trial: AnyTrial) -> TrialRecord | None:
    """The record of one trial; None for a trial that was asked for and killed before it had a network."""
    if "architecture" not in trial.user_attrs:
        return None
    found, architecture = _attributes(trial)
    state = _STATES[trial.state.name]
    ended = state in ("complete", "pruned")
    results: dict[str, Any] = {key: getattr(found, key) for key in RESULT_ATTRIBUTES if key != "curve" and ended}
    return TrialRecord(
        number=trial.number,
        state=state,
        architecture=architecture,
        canonical_id=found.canonical_id,
        repeat=found.repeat,
        repeat_of=found.repeat_of,
        pending=found.pending,
        origin=found.origin,
        pruned_at=found.pruned_at if state == "pruned" else None,
        spared_at=found.spared_at if state == "complete" else None,
        reason=found.reason,
        curve=found.curve,
        target=_target(found, trial.number),
        measured_limits=found.measured_limits if ended else {},
        planned_limits=found.planned_limits,
        class_right=found.class_right if ended else (),
        latency_by=found.latency_by if ended else None,
        latency_quiet=found.latency_quiet if ended else None,
        **{key: getattr(found, key) for key in _PROPOSED},
        **results,
    )


# Of finished trials, by storage and number: a search reads all of them several times before each training.
_kept: WeakKeyDictionary[
    optuna.storages.BaseStorage, dict[int, tuple[optuna.trial.FrozenTrial, TrialRecord | None]]
] = WeakKeyDictionary()


def records(study: optuna.Study) -> list[TrialRecord]:
    """Every training of a study, in the order of their numbers. StudyError where its journal is damaged."""
    from igcnas.search.storage import place_of

    kept = _kept.setdefault(study._storage, {})

    def read(trial: optuna.trial.FrozenTrial) -> TrialRecord | None:
        known, record = kept.get(trial.number, (None, None))
        if known is not trial:  # a trial that changes is another object
            record = record_of(trial)
            if trial.state.is_finished():
                kept[trial.number] = (trial, record)
        return record

    return records_of(study.get_trials(deepcopy=False), where=place_of(study), read=read)


def records_of(
    trials: Iterable[AnyTrial],
    *,
    where: str | Path = "the study",
    read: Callable[[Any], TrialRecord | None] = record_of,
) -> list[TrialRecord]:
    """The records of those trials that have a network. StudyError, which says `where` they are from, for a damaged one.

    A repeat of a network that is not there is damage, too.
    """
    try:
        found = [record for trial in trials if (record := read(trial)) is not None]
    except StudyError as error:
        raise StudyError(f"{where}: {error}") from None
    numbers = {record.number for record in found if record.repeat == 0}
    for record in found:
        if record.repeat > 0 and record.repeat_of not in numbers:
            again = f"network {record.number} is a repeat of network {record.repeat_of}"
            raise StudyError(f"{where}: {again}, which is not there; {_ADVICE}")
    return found
