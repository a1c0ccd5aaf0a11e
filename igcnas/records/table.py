"""All trainings of a study as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from igcnas.records.trial import TrialRecord

if TYPE_CHECKING:
    import pandas


def to_frame(all_records: Iterable[TrialRecord], parameters: Mapping[int, Mapping[str, Any]]) -> pandas.DataFrame:
    """A tidy table, one row a training; `parameters` maps trial numbers to searched values (columns param_*)."""
    import pandas

    rows = []
    for record in all_records:
        row = asdict(record)
        del row["architecture"], row["curve"]
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
