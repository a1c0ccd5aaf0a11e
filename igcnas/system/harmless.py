"""Text of others made harmless: one function for each medium that shows it.

Names of classes, folders, studies, spaces and files, and whatever a damaged file holds, may contain sequences that move
a terminal's cursor, retitle its window or turn the direction of writing around; HTML and links; a formula for a
spreadsheet; a program for mathtext. Convention: nothing is dropped in silence. A character that a reader cannot see is
shown as its escape (`\\x1b`, `\\u202e`); a sign that a format would obey is escaped as that format has it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# C0 and C1 controls; soft hyphen; marks and joiners without width; direction (bidi) marks, embeddings and isolates;
# separators of lines and paragraphs; invisible operators; fillers of Hangul; tags; halves of characters; noncharacters.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_LAYOUT = "\n\t"  # that our own text has on purpose
_MARKED = re.compile(r"([\\`*\[\]|])")
_LINKED = re.compile(r"(?i)\b(https?|ftp|mailto|javascript|data):|\bwww\.|(?<=\w)@(?=\w)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_FOLDERS = re.compile(r"""(?<![\w.~/\\-])(?:~|[A-Za-z]:)?[/\\](?:[^/\\\s:'"]+[/\\])+(?=[^/\\\s:'"])""")


def line(text: str) -> str:
    """One line for a terminal, a label or a message."""
    return _UNSEEN.sub(_escape, text)


def lines(text: str) -> str:
    """The same for text of several lines: newlines and tabs stay."""
    return _UNSEEN.sub(lambda found: found[0] if found[0] in _LAYOUT else _escape(found), text)


def markdown(text: str) -> str:
    """Words in a paragraph, a heading or a cell of a table: no HTML, no link, no code, no end of the cell.

    >>> markdown("<b>a</b> | [x](http://y)")
    '&lt;b&gt;a&lt;/b&gt; \\\\| \\\\[x\\\\](http&#58;//y)'
    """
    shown = re.sub("[&<>]", lambda found: _ENTITIES[found[0]], line(" ".join(text.split())))
    shown = _LINKED.sub(lambda found: re.sub("[:.@]", lambda sign: f"&#{ord(sign[0])};", found[0]), shown)
    return _MARKED.sub(r"\\\1", shown)


def code(text: str) -> str:
    """Words between backticks in Markdown, also in a cell of a table."""
    return "`" + line(" ".join(text.split())).replace("`", "'").replace("|", "\\|") + "`"


def cell(value: Any) -> Any:
    """A value for CSV: text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay.

    >>> cell("=1+1"), cell("-0.5"), cell(-3), cell("digits")
    ("'=1+1", '-0.5', -3, 'digits')
    """
    if not isinstance(value, str) or not value.lstrip(" ").startswith(_FORMULA):
        return line(value) if isinstance(value, str) else value
    try:
        float(value)
    except ValueError:
        return "'" + line(value)
    return line(value)


def cells(frame: Any) -> Any:
    """A pandas table with every text harmless, in its columns' names, too."""
    return frame.map(cell).rename(columns=cell)


def figure(drawn: Figure) -> Figure:
    """A matplotlib figure whose texts are taken as they are: no mathtext between dollars, nothing that XML forbids."""
    from matplotlib.text import Text

    for text in drawn.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
        if _UNSEEN.search(text.get_text()):
            text.set_text(lines(text.get_text()))
    return drawn


def without_folders(text: str) -> str:
    """Paths cut to their last part, for a page that others see: where it lies on this machine is nobody's business.

    >>> without_folders("igcnas search --data imagefolder:/home/ann/photos --study a/b")
    'igcnas search --data imagefolder:photos --study a/b'
    """
    home = str(Path("~").expanduser())
    if len(home) > 1:
        text = re.sub(re.escape(home) + r"""(?![\w.-])(?![/\\][^/\\\s:'"])""", "~", text)
    return _FOLDERS.sub("", text)


@contextmanager
def harmless_output() -> Iterator[None]:
    """Whatever the block prints to standard output and error is made harmless, line by line."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, None if one is None else _Output(one)) for one in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def plain_output(stream: TextIO) -> TextIO:
    """The stream itself, for a library that draws with control sequences of its own and cleans what it is given."""
    return stream.stream if isinstance(stream, _Output) else stream


class _Output:
    """A stream that escapes what it is told to write; all else is the stream's."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write it harmless."""
        return self.stream.write(lines(text))

    def writelines(self, texts: Any) -> None:
        """Write them all harmless."""
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _escape(found: re.Match[str]) -> str:
    """As Python writes the character."""
    return ascii(found[0])[1:-1]
