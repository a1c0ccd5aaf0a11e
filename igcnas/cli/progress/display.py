"""Lines, one after the other; on a terminal above a bar, and below it lines that change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from igcnas.cli.output import log_alone, screen, tell
from igcnas.system import harmless
from igcnas.system.streams import can_say

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_BARS, _PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-~=+*#"  # the second where the encoding of the output lacks the first
_SHOWN = 8  # lines below the bar of what goes on at once
_WIDTH = 40


def sparkline(values: Sequence[float]) -> str:
    """Accuracies in percent as one character each.

    >>> sparkline([0.0, 50.0, 100.0])
    '▁▅█'
    """
    bars = _BARS if can_say(_BARS, sys.stdout) else _PLAIN_BARS
    return "".join(bars[max(0, min(len(bars) - 1, int(value / 100.0 * len(bars))))] for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a terminal shows now: a bar, words beside it, and lines below. running: lines of what goes on at once."""

    done: float
    total: float
    words: str
    lines: tuple[str, ...] = ()
    running: tuple[str, ...] = ()


class Display(AbstractContextManager["Display"]):
    """Lines to an output; while it is entered, and that is a terminal, above what `shown` answers.

    shown: asked four times a second, from a thread of the display.
    """

    def __init__(self, output: TextIO, shown: Callable[[], Shown]) -> None:
        self.output, self._shown = output, shown
        self._console: Console | None = None
        self._live: Live | None = None
        if output.isatty():
            from rich.console import Console

            self._console = Console(file=harmless.plain_output(screen(output)), highlight=False)

    @property
    def watched(self) -> bool:
        """Whether it is on a terminal, where the bar says how far things are."""
        return self._console is not None

    def note(self, text: str) -> None:
        """A line of its own."""
        if self._console is None:
            tell(self.output, text)
        else:
            log_alone(self.output, text)
            self._console.print(harmless.lines(text), markup=False, soft_wrap=True)

    def __enter__(self) -> Display:
        if self._console is not None:
            from rich.live import Live

            self._live = Live(get_renderable=self._drawn, console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def _drawn(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        shown = self._shown()
        bar = Table.grid(padding=(0, 1))
        bar.add_row(ProgressBar(total=max(1, shown.total), completed=shown.done, width=_WIDTH), Text(shown.words))
        lines = [*shown.lines, *shown.running[:_SHOWN]]
        texts = [Text(harmless.line(line), no_wrap=True, overflow="ellipsis") for line in lines]
        if len(shown.running) > _SHOWN:
            texts.append(Text(f"training  and {len(shown.running) - _SHOWN} more"))
        return Group(bar, *texts)
