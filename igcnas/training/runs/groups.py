"""How learned groups change while a network trains: who moved in each epoch, and how large the groups are.

groups.csv    one line an epoch, layer and side, from epoch 0, before training, on: epoch, layer, what, moved, sizes,
              assignment (all of it, so that a training that is taken up compares with the epoch before)

What changes are inputs and filters that have another group than an epoch ago (FLGC: Wang et al., arXiv:1904.00346,
whose public port prints the same), gates that turned (DGConv), and inputs that groups dropped (CondenseNet). Where each
image chooses (MSGC, DGC) there is nothing to follow.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from igcnas.errors import IgcnasError, StudyError, unknown_name
from igcnas.modules.layers import LearnedModule
from igcnas.modules.layers.learned import FILTERS, GATES, INPUTS
from igcnas.system.files import write_text
from igcnas.system.reading import read_text

FILE = "groups.csv"
COLUMNS = ("epoch", "layer", "what", "moved", "sizes", "assignment")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """One side of a layer after an epoch. sizes: members of each group, gates that are on, or inputs that each keeps.

    assignment: the group of each input or filter; 1 for a gate that is on, or for an input that a group keeps. left,
    came: of each group, how many went and came since the epoch before; moved: how many of all have changed.
    """

    epoch: int
    layer: str
    what: str
    sizes: tuple[int, ...]
    assignment: tuple[int, ...]
    moved: int = 0
    left: tuple[int, ...] = ()
    came: tuple[int, ...] = ()


class GroupWatch:
    """Follows the learned groups of a network that trains, in its folder.

    epochs: how many are done; lines of later ones, from before a kill, are forgotten. writes: one of several processes.
    IgcnasError if the network learns none, or no layer that does has `layer` in its name.
    """

    def __init__(self, folder: Path, network: nn.Module, *, epochs: int, layer: str = "", writes: bool = True) -> None:
        self.path, self.network, self.writes = folder / FILE, network, writes
        self.states = [state for state in recorded(folder) if state.epoch <= epochs]
        now = list(_sides(network, epochs))
        if not now:
            raise IgcnasError("--show-groups: this network learns no groups that all images share; leave it out")
        if not any(layer in state.layer for state in now):
            raise IgcnasError(f"--show-groups: {unknown_name('layer', layer, {state.layer for state in now})}")
        if not any(state.epoch == epochs for state in self.states):
            self._add(now)

    def of(self, epoch: int) -> tuple[list[GroupState], bool]:
        """The sides of all layers after an epoch, and whether that is news."""
        known = [state for state in self.states if state.epoch == epoch]
        if known:
            return known, False
        before = {(state.layer, state.what): state for state in self.states}  # the last of each stays
        now = [_compared(before.get((state.layer, state.what)), state) for state in _sides(self.network, epoch)]
        self._add(now)
        return now, True

    def _add(self, states: list[GroupState]) -> None:
        self.states += states
        if not self.writes:
            return
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        for state in self.states:
            sizes, assignment = (" ".join(map(str, values)) for values in (state.sizes, state.assignment))
            table.writerow([state.epoch, state.layer, state.what, state.moved, sizes, assignment])
        write_text(self.path, text.getvalue())


def totals(states: Sequence[GroupState]) -> dict[str, tuple[int, int]]:
    """For each kind of side: how many moved, of how many."""
    found: dict[str, tuple[int, int]] = {}
    for state in states:
        moved, of = found.get(state.what, (0, 0))
        found[state.what] = (moved + state.moved, of + len(state.assignment))
    return found


def summary(states: Sequence[GroupState]) -> str:
    """All layers in one line: who moved, and the smallest and the largest group."""
    words = []
    for what, (moved, of) in totals(states).items():
        sizes = [size for state in states if state.what == what for size in state.sizes]
        ends = f"{sum(sizes):,} on" if what == GATES else f"{min(sizes)} to {max(sizes)} a group"
        words.append(f"{what} {moved:,} of {of:,} changed, {ends}")
    return "; ".join(words)


def detail(state: GroupState) -> str:
    """One side of a layer in one line: for each group who left, who came, and its size now."""
    if state.what == GATES:
        on = "".join(map(str, state.assignment))
        return f"{state.layer} gates {on} ({state.moved} turned, {2 ** state.assignment.count(0)} groups)"
    still = (0,) * len(state.sizes)
    parts = zip(state.left or still, state.came or still, state.sizes, strict=True)
    groups = "  ".join(f"-{left}/+{came}/{size}" for left, came, size in parts)
    return f"{state.layer} {state.what} {groups}  ({state.moved} changed)"


def recorded(folder: Path) -> list[GroupState]:
    """What a run left in its folder; nothing where the file is missing or not whole."""
    try:
        rows = list(csv.DictReader(read_text(folder / FILE, advice="remove it").splitlines()))
        return [
            GroupState(
                epoch=int(row["epoch"]),
                layer=row["layer"],
                what=row["what"],
                moved=int(row["moved"]),
                sizes=tuple(map(int, row["sizes"].split())),
                assignment=tuple(map(int, row["assignment"].split())),
            )
            for row in rows
        ]
    except (StudyError, csv.Error, ValueError, KeyError, TypeError, AttributeError):
        return []


def _sides(network: nn.Module, epoch: int) -> Iterator[GroupState]:
    for name, module in network.named_modules():
        for side in module.sides() if isinstance(module, LearnedModule) else ():
            yield GroupState(epoch=epoch, layer=name, what=side.what, sizes=side.sizes, assignment=side.assignment)


def _compared(before: GroupState | None, now: GroupState) -> GroupState:
    """The same with what changed."""
    if before is None or len(before.assignment) != len(now.assignment):
        return now
    pairs = [(old, new) for old, new in zip(before.assignment, now.assignment, strict=True) if old != new]
    if now.what in (INPUTS, FILTERS):
        groups = range(len(now.sizes))
        left = tuple(sum(old == group for old, _ in pairs) for group in groups)
        came = tuple(sum(new == group for _, new in pairs) for group in groups)
    else:
        left = tuple(max(0, old - new) for old, new in zip(before.sizes, now.sizes, strict=True))
        came = tuple(max(0, new - old) for old, new in zip(before.sizes, now.sizes, strict=True))
    return GroupState(
        epoch=now.epoch,
        layer=now.layer,
        what=now.what,
        sizes=now.sizes,
        assignment=now.assignment,
        moved=len(pairs),
        left=left,
        came=came,
    )
