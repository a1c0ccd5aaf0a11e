"""Tables as text: aligned columns for a terminal, Markdown for a file. Words to the left, numbers to the right."""

from __future__ import annotations

from collections.abc import Sequence

from igcnas.system.harmless import line, markdown


def columns(head: Sequence[str], cells: Sequence[Sequence[str]], *, words: Sequence[int]) -> str:
    """Lines of aligned columns; `words` are the places of columns of words, and the last one is not padded.

    >>> print(columns(("name", "n"), [("a", "10"), ("bcdef", "9")], words=(0,)))
    name    n
    a      10
    bcdef   9
    """
    head, cells = list(map(line, head)), [list(map(line, row)) for row in cells]
    widths = [max(len(row[place]) for row in (head, *cells)) for place in range(len(head))]
    lines = []
    for row in (head, *cells):
        padded = [
            cell.ljust(width) if place in words else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def pipes(head: Sequence[str], cells: Sequence[Sequence[str]], *, words: Sequence[int]) -> str:
    """The same as a table in Markdown."""
    rule = ["---" if place in words else "---:" for place in range(len(head))]
    shown = [list(map(markdown, row)) for row in (head, *cells)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (shown[0], rule, *shown[1:]))
