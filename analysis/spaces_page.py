"""docs/spaces.md: the families and fields of search spaces, with a picture of each family.

    python -m analysis.spaces_page            write the page and its pictures
    python -m analysis.spaces_page --check    exit with status 1 if any is not current

Meanings and ranges are those of the code (`BlockFamily.meanings`), and the blocks are drawn by igcnas draw's renderer.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from igcnas.drawing.explanation import block_of
from igcnas.drawing.layout import block_scene
from igcnas.drawing.sketch import compute_sketch
from igcnas.drawing.svg import scene_svg
from igcnas.network.architecture import ACTIVATIONS, Architecture
from igcnas.search.space import BlockFamily, Meaning, SearchSpace, known_spaces, load_space
from igcnas.search.space.space import MEANINGS
from igcnas.system import program
from igcnas.system.files import write_text

DOCS = Path(__file__).resolve().parents[1] / "docs"

_HEAD = """# Search spaces

Written by `python -m analysis.spaces_page`; do not edit. A search space says which networks `igcnas search` considers.
`--space` takes a name of the first table, several joined by `+`, or a file of your own: Python with one value `SPACE`,
as `igcnas init` writes it with comments. A field is a tuple of choices, of which each network has one. The width is no
choice: it follows from the budget.

```python
from igcnas.search.space import BasicFamily, InvertedFamily, SearchSpace

SPACE = SearchSpace(
    name="mine",
    families=(BasicFamily(), InvertedFamily(name="igcv3", G1=(2, 4), G2=(2,), expand_activation=False)),
    depths=(1, 2, 4),
)
```

Other packages can add families of their own ([extending.md](extending.md)).
"""


_FAMILIES = f"""## Families

Each has a `name` of its own, which stands in the names of networks, and an `activation`, one of
{", ".join(ACTIVATIONS)}. Its other fields follow, and the block that repeats in a stage, drawn as by `igcnas draw`
([drawing.md](drawing.md)), with the choices below the picture.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A family as the page shows it. choices, width: of the block that is drawn, a small one."""

    family: BlockFamily
    choices: Mapping[str, Any]
    width: int

    @property
    def picture(self) -> Path:
        """Beside the page."""
        return Path("figures") / f"space-{self.family.name}.svg"

    @property
    def architecture(self) -> Architecture:
        """A network of this block alone."""
        family = self.family
        space = SearchSpace(name=family.name, families=(family,), stages=1, depths=(2,), growths=(1.0,))
        given = {f"{family.name}.{name}": value for name, value in self.choices.items()}
        structure = space.decode(
            {"block": family.name, "depth1": 2, "growth": 1.0, "final_size": 8, "head_ratio": 0} | given, (3, 8, 8), 10
        )
        for n in range(1, structure.most):
            network = structure.at(n)
            if network.stages[0].width >= self.width:
                return network
        raise AssertionError(f"no network of {family.name} is {self.width} channels wide")


def shown() -> tuple[Shown, ...]:
    """Every family of the space `all`, in its order; the drawn choices are among those that it offers."""
    drawn: dict[str, tuple[dict[str, Any], int]] = {
        "resnet": ({"residual": True}, 4),
        "igcv1": ({"M": 3, "grows": "M", "residual": False, "learned": False}, 6),
        "igcv2": ({"K": 2, "kernels": 3, "residual": False}, 8),
        "mobilenetv2": ({"expansion": 2, "G1": 1, "G2": 1, "learned": False}, 4),
        "igcv3": ({"expansion": 2, "G1": 2, "G2": 2, "learned": False}, 4),
        "resnext": ({"groups": 4, "ratio": 1, "learned": True}, 8),
        "msgc": ({"heads": 2, "keep": 0.5, "attention": False}, 4),
        "msgc-mobilenetv2": ({"expansion": 2, "heads": 2, "keep": 0.5, "attention": False}, 4),
        "condensenet": ({"reduce": "condensing", "groups": 2, "factor": 2}, 4),
    }
    families = {family.name: family for family in load_space("all").families}
    assert families.keys() == drawn.keys(), "a family of the space 'all' has no picture, or a picture no family"
    return tuple(Shown(family=families[name], choices=choices, width=width) for name, (choices, width) in drawn.items())


def page() -> str:
    """The text of the page."""
    return "\n".join([_HEAD, _spaces(), _fields(), _FAMILIES, *map(_family, shown())])


def _spaces() -> str:
    lines = ["## The spaces that come with igcnas", "", "| `--space` | families | what it is |", "|---|---|---|"]
    for name in known_spaces():
        space = load_space(name)
        what = _paragraph(import_module(f"igcnas.search_spaces.{name}").__doc__)
        lines.append(f"| `{name}` | {', '.join(family.name for family in space.families)} | {what} |")
    return "\n".join(lines) + "\n"


def _fields() -> str:
    usual = load_space("all")
    lines = ["## Fields of a space", "", "| field | usual | may be | meaning |", "|---|---|---|---|"]
    lines += ["| `name` | | | of the space; part of the usual name of a study |", "| `families` | | | see below |"]
    lines += [_row(name, getattr(usual, name), meaning) for name, meaning in MEANINGS.items()]
    return "\n".join(lines) + "\n"


def _family(one: Shown) -> str:
    family = one.family
    kind = type(family)
    words = ", ".join(f"{name} = {_value(value)}" for name, value in one.choices.items())
    lines = [f"### {family.name}", "", f"`{kind.__name__}`. {_paragraph(inspect.getdoc(kind))}", ""]
    lines += [f"![{family.name}: {words}]({one.picture.as_posix()})", "", f"*{words}.*", ""]
    lines += ["| field | in `all` | may be | meaning |", "|---|---|---|---|"]
    lines += [_row(name, getattr(family, name), meaning) for name, meaning in family.meanings.items()]
    return "\n".join(lines) + "\n"


def _row(name: str, value: object, meaning: Meaning) -> str:
    return f"| `{name}` | {_value(value)} | {meaning.values} | {meaning.what} |"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_value, value))
    return str(value)


def _paragraph(text: str | None) -> str:
    """All of it on one line, fit for a table."""
    return " ".join((text or "").split()).replace("|", "\\|")


def files() -> dict[Path, str]:
    """The page and its pictures: their texts, by their places in docs/."""
    drawn = {one.picture: compute_sketch(block_of(one.architecture, stage=0)) for one in shown()}
    pictures = {path: scene_svg(block_scene(sketch), alone=True) + "\n" for path, sketch in drawn.items()}
    return {Path("spaces.md"): page(), **pictures}


def main(arguments: Sequence[str] | None = None, *, docs: Path = DOCS) -> int:
    """Write the page and its pictures, or say whether they are current."""
    return program.run(lambda: _main(arguments, docs), ends_process=arguments is None)


def _main(arguments: Sequence[str] | None, docs: Path) -> int:
    parser = argparse.ArgumentParser(description="write docs/spaces.md and its pictures from the code")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if something is not current")
    options = parser.parse_args(arguments)
    if not docs.is_dir():
        parser.error(f"{docs} is missing; run this in a checkout of the repository")
    if not options.check:
        for path, text in files().items():
            write_text(docs / path, text)
            print(docs / path)
        return 0
    stale = [docs / path for path, text in files().items() if not _holds(docs / path, text)]
    print("\n".join(f"{path} is not current; run python -m analysis.spaces_page" for path in stale) or "all is current")
    return 1 if stale else 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    raise SystemExit(main())
