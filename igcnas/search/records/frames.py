"""A study as pandas tables: one row a training, an epoch, or a network.

`study` is the path of a study, or its name in the folder `studies`. Columns have nullable types: whole numbers are
Int64, words of few kinds categories, other words strings, accuracies (percent) and seconds float64, times datetime64
without a zone: the clock of the machine that searched. What is not known is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from igcnas.network.budget import limit_named
from igcnas.search.records.networks import champions, networks
from igcnas.search.records.trial import TrialRecord, records_of

if TYPE_CHECKING:
    import optuna
    import pandas

_KINDS = ("state", "baseline", "device", "steps", "family", "origin")  # words of few kinds


def frame(study: str | Path) -> pandas.DataFrame:
    """One row a training, in the order of their numbers, with all that the study knows of it.

    The columns are those of `trials.csv`, then began and ended, when the training was begun for the first time and when
    it ended; `curve` holds accuracies as text, see `curves`. A training that was taken up after a kill has a pause
    between began and ended that `seconds`, the time in which it was trained, does not have.
    """
    from igcnas.search.settings import StudySettings

    folder = _folder(study)
    trials, settings = _trials(folder), StudySettings.read(folder)
    every = records_of(trials)
    parameters = {trial.number: trial.params for trial in trials}
    table = to_frame(every, parameters, measure=settings.measure, images=settings.data.validation_images)
    by_number = {trial.number: trial for trial in trials}
    began = [by_number[r.number].datetime_start for r in every]
    ended = [by_number[r.number].datetime_complete for r in every]
    return _typed(table).assign(began=_times(began), ended=_times(ended))


def curves(study: str | Path) -> pandas.DataFrame:
    """One row an epoch: number of the training, epoch from 1, training loss, validation accuracy (val_accuracy, or
    val_balanced_accuracy of a study that compares by that).

    Trainings that were pruned are in it with the epochs that they had; of those that go on or failed none is known.
    """
    import pandas

    from igcnas.search.settings import StudySettings

    folder = _folder(study)
    measured = f"val_{StudySettings.read(folder).measure.replace(' ', '_')}"
    rows = [(r.number, *point) for r in records_of(_trials(folder)) for point in r.curve]
    table = pandas.DataFrame(rows, columns=["number", "epoch", "train_loss", measured])
    return table.astype({"number": "Int64", "epoch": "Int64", "train_loss": "float64", measured: "float64"})


def networks_frame(study: str | Path) -> pandas.DataFrame:
    """One row a network that was trained to the end: mean, sd (missing with one seed) and n over its trainings.

    number is that of its first training; macs and params are measured where training changed them; seconds are of all
    its trainings. within_budget: the trained network keeps the budget. on_front: it is on the front of those, by the
    mean, at the cost that the study compares at (latency_ms, params, else macs). Columns param_* as in `frame`.
    """
    import pandas

    from igcnas.search.settings import StudySettings

    folder = _folder(study)
    settings = StudySettings.read(folder)
    trials = _trials(folder)
    every = records_of(trials)
    front = {one.record.number for one in champions(every, settings.budget, settings.compares)}
    seconds: dict[int, float] = {}
    for record in every:
        first = record.number if record.repeat_of is None else record.repeat_of
        seconds[first] = seconds.get(first, 0.0) + (record.seconds or 0.0)
    parameters = {trial.number: trial.params for trial in trials}
    rows: list[dict[str, Any]] = []
    for one in networks(every):
        record = one.record
        rows.append(
            {
                "number": record.number,
                "architecture_id": record.architecture.id,
                "family": record.architecture.family,
                "label": record.architecture.label(),
                "baseline": record.baseline,
                "origin": record.origin,
                "macs": record.final_macs,
                "params": record.final_params,
                "latency_ms": record.latency_ms,
                "mean": one.mean,
                "sd": one.sd,
                "n": one.n,
                "seconds": seconds[record.number],
                "within_budget": record.within(settings.budget),
                "on_front": record.number in front,
            }
            | {f"param_{key}": value for key, value in sorted(parameters[record.number].items())}
        )
    known = ("number", "mean", "sd", "n", "macs", "params", "within_budget", "on_front", "baseline", "family", "label")
    return _typed(pandas.DataFrame(rows, columns=None if rows else list(known)))


def _folder(study: str | Path) -> Path:
    from igcnas.search.folder import find_study

    return find_study(study)


def _trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    from igcnas.search.folder import open_study

    return open_study(folder).get_trials(deepcopy=False)


def _times(times: Iterable[datetime | None]) -> pandas.Series[pandas.Timestamp]:
    import pandas

    return pandas.Series(list(times), dtype="datetime64[us]")


def _typed(table: pandas.DataFrame) -> pandas.DataFrame:
    """Nullable types by the fields of a record; of searched values by what they are."""
    hints = get_type_hints(TrialRecord)
    types: dict[str, str] = {}
    for name in table.columns:
        if name.startswith("param_"):
            found = str(table[name].infer_objects().convert_dtypes().dtype)
            types[name] = found if found in ("Int64", "Float64", "boolean") else "category"
        elif name in _KINDS:
            types[name] = "category"
        elif hints.get(name) in (int, int | None) or name == "n":
            types[name] = "Int64"
        elif hints.get(name) in (float, float | None) or name in ("mean", "sd", "val_balanced_accuracy"):
            types[name] = "float64"
        elif name not in ("within_budget", "on_front"):
            types[name] = "string"
    return table.astype(types)


def to_frame(
    all_records: Iterable[TrialRecord],
    parameters: Mapping[int, Mapping[str, Any]],
    *,
    measure: str = "accuracy",
    images: int = 0,
) -> pandas.DataFrame:
    """A tidy table, one row a training; `parameters` maps trial numbers to searched values (columns param_*).

    measure: what the study compares by. Where that is balanced accuracy, it stands in val_balanced_accuracy, and
    val_accuracy is the plain accuracy on the validation `images`; the curve is of the measure.
    """
    import pandas

    rows = []
    names = [field.name for field in fields(TrialRecord) if field.name not in ("architecture", "curve")]
    for record in all_records:
        row = {name: getattr(record, name) for name in names}
        right, planned = row.pop("class_right"), row.pop("planned_limits")
        if measure != "accuracy":
            row = {
                f"val_{measure.replace(' ', '_')}" if key == "val_accuracy" else key: value
                for key, value in row.items()
            }
            row |= {"class_right": " ".join(map(str, right)), "val_accuracy": _plain(right, images)}
        row = {_target_column(record) if key == "target" else key: value for key, value in row.items()}
        del row["target_of"]
        row |= {
            f"predicted_{limit_named(name).unit}": value / limit_named(name).size for name, value in planned.items()
        }
        row |= {f"measured_{name}": value for name, value in row.pop("measured_limits").items()}
        row |= {
            "architecture_id": record.architecture.id,
            "family": record.architecture.family,
            "label": record.architecture.label(),
            "pending": " ".join(map(str, record.pending)),
            "curve": " ".join(f"{accuracy:.2f}" for accuracy in record.accuracies),
        }
        row |= {f"param_{key}": value for key, value in sorted(parameters.get(record.number, {}).items())}
        rows.append(row)
    return pandas.DataFrame(rows)


def _plain(right: Iterable[int], images: int) -> float | None:
    """Percent of all images that is right, from the right answers of each class; None where they are not known."""
    counts = tuple(right)
    return 100.0 * sum(counts) / images if counts and images else None


def _target_column(record: TrialRecord) -> str:
    return f"target_{record.target_of}"
