"""What a study knows of its networks: the only writer and the only reader of the attributes of its trials."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from igcnas.architecture import Architecture
from igcnas.pareto import pareto_front

if TYPE_CHECKING:
    import optuna
    import pandas

STATES = ("complete", "failed", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One network of a study. macs and params are expected before training; measured_* hold after it.

    The two differ only where training chose groups of unequal sizes. curve holds (epoch, training loss, accuracy).
    """

    number: int
    state: str
    architecture: Architecture
    macs: int
    params: int
    target_macs: int
    baseline: str | None
    seed: int
    epochs: int
    measured_macs: int | None = None
    measured_params: int | None = None
    val_accuracy: float | None = None
    seconds: float | None = None
    device: str | None = None
    peak_memory_mb: float | None = None
    curve: tuple[tuple[int, float, float], ...] = ()
    reason: str | None = None

    @property
    def final_macs(self) -> int:
        """MACs of the network as it would run: measured where training has changed them."""
        return self.macs if self.measured_macs is None else self.measured_macs

    def within(self, budget_macs: int) -> bool:
        """Whether the trained network keeps the budget."""
        return self.final_macs <= budget_macs


def proposal_attributes(
    architecture: Architecture,
    *,
    macs: int,
    params: int,
    target_macs: int,
    baseline: str | None,
    seed: int,
    epochs: int,
) -> dict[str, Any]:
    """User attributes of a trial before it is trained: all that is needed to train it again."""
    return {
        "architecture": architecture.to_json(),
        "architecture_id": architecture.id,
        "family": architecture.family,
        "label": architecture.label(),
        "macs": macs,
        "params": params,
        "target_macs": target_macs,
        "baseline": baseline,
        "seed": seed,
        "epochs": epochs,
    }


RESULT_ATTRIBUTES = ("val_accuracy", "seconds", "device", "measured_macs", "measured_params", "peak_memory_mb", "curve")


def record_of(trial: optuna.trial.FrozenTrial) -> TrialRecord | None:
    """The record of one trial; None for a trial that was asked for and killed before it had a network."""
    attributes = trial.user_attrs
    if "architecture" not in attributes:
        return None
    state = {"COMPLETE": "complete", "RUNNING": "running", "WAITING": "running"}.get(trial.state.name, "failed")
    results: dict[str, Any] = (
        {key: attributes.get(key) for key in RESULT_ATTRIBUTES if key != "curve"} if state == "complete" else {}
    )
    return TrialRecord(
        number=trial.number,
        state=state,
        architecture=Architecture.from_json(attributes["architecture"]),
        reason=attributes.get("reason"),
        curve=tuple((int(e), float(loss), float(a)) for e, loss, a in attributes.get("curve", ())),
        **{key: attributes[key] for key in ("macs", "params", "target_macs", "baseline", "seed", "epochs")},
        **results,
    )


def records(study: optuna.Study) -> list[TrialRecord]:
    """Every network of a study, in the order of their numbers."""
    found = (record_of(trial) for trial in study.get_trials(deepcopy=False))
    return [record for record in found if record is not None]


def trained(all_records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Those whose training finished with an accuracy."""
    return [r for r in all_records if r.state == "complete" and r.val_accuracy is not None]


def front(all_records: Iterable[TrialRecord], budget_macs: int) -> list[TrialRecord]:
    """The Pareto front of the trained networks that keep the budget, cheapest first."""
    fitting = [r for r in trained(all_records) if r.within(budget_macs)]
    chosen = pareto_front([r.final_macs for r in fitting], [r.val_accuracy or 0.0 for r in fitting])
    return [fitting[index] for index in chosen]


def best(all_records: Iterable[TrialRecord], budget_macs: int) -> TrialRecord | None:
    """The most accurate network within the budget; of equally accurate ones the cheapest."""
    chosen = front(all_records, budget_macs)
    return chosen[-1] if chosen else None


def standard_error(accuracy_percent: float, images: int) -> float:
    """Binomial standard error, in percent, of an accuracy measured on so many images."""
    share = accuracy_percent / 100.0
    return 100.0 * math.sqrt(share * (1.0 - share) / images)


def to_frame(all_records: Iterable[TrialRecord], parameters: Mapping[int, Mapping[str, Any]]) -> pandas.DataFrame:
    """A tidy table, one row a network; `parameters` maps trial numbers to searched values (columns param_*)."""
    import pandas

    rows = []
    for record in all_records:
        row = asdict(record)
        del row["architecture"], row["curve"]
        row |= {
            "architecture_id": record.architecture.id,
            "family": record.architecture.family,
            "label": record.architecture.label(),
            "curve": " ".join(f"{accuracy:.2f}" for _, _, accuracy in record.curve),
        }
        row |= {f"param_{key}": value for key, value in sorted(parameters.get(record.number, {}).items())}
        rows.append(row)
    return pandas.DataFrame(rows)
