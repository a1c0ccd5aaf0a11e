"""Forms of an exported network that other packages add: one more file in the folder, checked like the others.

A package adds one as an entry point of the group igcnas.exporters (docs/extending.md): a value of `Exporter`.
`igcnas export STUDY --also NAME` writes it. One is our own (igcnas/export/c/exporter.py): model.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from igcnas.errors import ExportError, IgcnasError, unknown_name
from igcnas.export.parity import CHUNK, unit
from igcnas.modules.lowering import Lowered
from igcnas.network.plan import Plan
from igcnas.system import additions


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The network that is exported: its plan without learned layers, and the torch module of that, in evaluation mode.

    The normalization is inside: images are float32 (B, channels, height, width), pixel / 255. lowered: the same network
    before it is folded, its groups as they are, for what runs groups of any size as fast. metadata: what the other
    files say of it, as text by name.
    """

    plan: Plan
    module: nn.Module
    lowered: Lowered
    classes: Sequence[str]
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """How a network is written into one more file, and how that is run.

    file: its name in the folder. write: makes it at a path. run: from a path and float images (B, channels, height,
    width) to the logits (B, classes) of the file, as its user would get them: with them the file is checked. beside:
    names of further files that `write` makes in the same folder.
    """

    file: str
    write: Callable[[Path, Trained], None]
    run: Callable[[Path, torch.Tensor], torch.Tensor]
    beside: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """All that it makes."""
        return (self.file, *self.beside)


def exporters(
    names: Iterable[str], *, taken: Sequence[str], own: Mapping[str, Exporter] | None = None
) -> dict[str, Exporter]:
    """The exporters of these names; ExportError for one that cannot be used.

    taken: files that every folder has. own: forms that igcnas has itself, by name.
    """
    found: dict[str, Exporter] = {}
    for name in names:
        if own and name in own:
            found[name] = own[name]
            continue
        added = additions.addition(additions.EXPORTERS, name)
        if added is None:
            known = additions.names(additions.EXPORTERS)
            if not known:
                raise ExportError(f"--also {name}: no installed package adds a form of export; leave it out")
            raise ExportError(unknown_name("exporter", name, known))
        exporter: Exporter = added.load(Exporter)
        files = {*taken, *(file for other, one in found.items() if other != name for file in one.files)}
        if not files.isdisjoint(exporter.files) or any(Path(file).name != file for file in exporter.files):
            raise ExportError(
                f"the {added} writes {exporter.file!r}, which is no file name of its own; update that package"
            )
        found[name] = exporter
    return found


def write_also(folder: Path, forms: Mapping[str, Exporter], trained: Trained) -> None:
    """Write each file; ExportError where an exporter fails, or leaves none."""
    for name, exporter in forms.items():
        path = folder / exporter.file
        with _guarded(name):
            exporter.write(path, trained)
        missing = [file for file in exporter.files if not (folder / file).is_file()]
        if missing:
            raise ExportError(f"the exporter {name!r} left no {missing[0]}; nothing was exported: leave it out")


def run_also(folder: Path, name: str, exporter: Exporter, batches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Logits of the file for images (n, channels, height, width): float in [0, 1], or uint8, divided by 255."""
    with _guarded(name), torch.inference_mode():
        return [
            torch.cat([exporter.run(folder / exporter.file, unit(part)) for part in torch.split(images, CHUNK)])
            for images in batches
        ]


@contextmanager
def _guarded(name: str) -> Iterator[None]:
    """Whatever the code of an exporter raises is one line that names it; faults of the machine say so themselves."""
    try:
        yield
    except (IgcnasError, OSError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ExportError(
            f"the exporter {name!r} failed ({type(error).__name__}: {reason}); nothing was exported: leave it out"
        ) from error
