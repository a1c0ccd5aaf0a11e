"""A search in a notebook: a display that changes while it goes on, instead of lines."""

from __future__ import annotations

import sys
import time
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.search.callbacks import Callback
from igcnas.search.settings import StudySettings
from igcnas.units import duration

if TYPE_CHECKING:
    from igcnas.search.costs import Costs, ShownCost
    from igcnas.search.records import TrialRecord
    from igcnas.search.study import Study
    from igcnas.training.reports import EpochReport

_BETWEEN_SECONDS = 0.5
_LAST = 6  # networks that are shown


def in_notebook() -> bool:
    """Whether this program runs in the kernel of a notebook, which shows what is displayed."""
    module = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    return shell is not None and shell.has_trait("kernel")


class LiveSearch(Callback):
    """Shows how a search goes in one place: how far it is, the best network, the last ones. networks: asked for."""

    def __init__(self, networks: int) -> None:
        self._networks, self._handle = networks, None
        self._training: dict[int, tuple[TrialRecord, EpochReport | None]] = {}
        self._ended: list[TrialRecord] = []
        self._began, self._shown = time.monotonic(), -1.0
        self._study = ""
        self._costs: Costs | None = None
        self._measure = "accuracy"

    def search_began(self, folder: Path) -> None:
        """Show an empty display."""
        settings = StudySettings.read(folder)
        self._study, self._costs, self._measure = folder.name, settings.costs, settings.measure
        self._show()

    def trial_began(self, trial: TrialRecord) -> None:
        """One more goes on."""
        self._training[trial.number] = trial, None
        self._show()

    def epoch_ended(self, trial: TrialRecord, epoch: EpochReport) -> None:
        """A point of a curve; shown twice a second at most."""
        self._training[trial.number] = trial, epoch
        self._show(often=False)

    def trial_ended(self, trial: TrialRecord) -> None:
        """One more is done."""
        self._training.pop(trial.number, None)
        self._ended.append(trial)
        self._show()

    def search_ended(self, study: Study) -> None:
        """What remains is the summary alone."""
        self._training = {}
        self._show()

    def html(self) -> str:
        """What is shown."""
        done = [one for one in self._ended if one.state in ("complete", "pruned") and not one.repeat]
        best = max(
            (one for one in self._ended if one.val_accuracy is not None and self._keeps(one)),
            key=lambda one: (one.val_accuracy or 0.0, -one.final_macs),
            default=None,
        )
        total = max(self._networks, len(done))
        lines = [
            f"<b>{escape(self._study)}</b> <progress max='{total}' value='{len(done)}'></progress> "
            f"{len(done)} of {total} networks in {duration(time.monotonic() - self._began)}"
        ]
        if best is not None and self._costs is not None:
            lines.append(f"best so far: <b>{best.val_accuracy:.2f} %</b> at {self._costs.words(best)}, {_name(best)}")
        for trial, epoch in self._training.values():
            accuracy = (
                "" if epoch is None else f", {epoch.val_accuracy:.1f} % after epoch {epoch.epoch} of {trial.epochs}"
            )
            lines.append(f"in training: {_name(trial)}{accuracy}")
        costs: tuple[ShownCost, ...] = () if self._costs is None else self._costs.each
        rows = [
            f"<tr><td>{one.number}</td>{''.join(f'<td>{cost.shown(one)}</td>' for cost in costs)}"
            f"<td>{'failed' if one.val_accuracy is None else f'{one.val_accuracy:.2f}'}</td><td>{_name(one)}</td></tr>"
            for one in self._ended[: -_LAST - 1 : -1]
        ]
        heads = ("trial", *(cost.unit for cost in costs), f"{self._measure}, %", "network")
        table = "<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>" + "".join(rows)
        return "<br>".join(lines) + (table + "</table>" if rows else "")

    def _keeps(self, trial: TrialRecord) -> bool:
        """Whether it was trained to the end, and keeps the budget as it then is."""
        return trial.state == "complete" and self._costs is not None and trial.within(self._costs.budget)

    def _show(self, *, often: bool = True) -> None:
        now = time.monotonic()
        if not often and now - self._shown < _BETWEEN_SECONDS:
            return
        self._shown = now
        from IPython.display import HTML, display  # a notebook has it

        content: Any = HTML(self.html())
        if self._handle is None:
            self._handle = display(content, display_id=True)
        else:
            self._handle.update(content)


def _name(trial: TrialRecord) -> str:
    return escape(trial.baseline or trial.architecture.label())
