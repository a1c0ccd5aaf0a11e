"""`igcnas.search` and `igcnas.open_study`: what `igcnas search` does, from Python."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from igcnas.api.notebook import LiveSearch, in_notebook
from igcnas.api.pictures import as_spec
from igcnas.api.study import SearchedStudy
from igcnas.api.words import parsed
from igcnas.cli.common import using_storage
from igcnas.errors import BudgetError, StudyError
from igcnas.search.callbacks import Callback
from igcnas.search.study import Study

STUDIES = Path("studies")


def search(
    data: Any = "digits",
    *,
    budget_mflops: float | None = None,
    budget_params: float | None = None,
    budget_ms: float | None = None,
    networks: int = 60,
    epochs: int | None = None,
    study: str | None = None,
    studies_dir: str | Path = STUDIES,
    classes: Sequence[str] | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **options: Any,
) -> SearchedStudy:
    """Find the best small network within a budget. Call it again and it goes on where it stopped.

    In a script the call belongs under `if __name__ == "__main__":`, because workers import the script again.

    Args:
        data: a name as `igcnas search --data` takes it ('digits', 'imagefolder:photos', 'npz:FILE', 'cifar10'); or
            images: {'train': (images, labels), 'val': ..., 'test': ...} of arrays, or torch Datasets in their place; or
            the training part alone. Images are uint8, or floats in [0, 1], with channels first or last.
        budget_mflops: no network has more than so many millions of multiply-accumulates.
        budget_params: no network has more than so many parameters.
        budget_ms: no network takes longer for one call, predicted and then measured. One of the three is needed.
        networks: the study holds so many in the end, those of earlier calls included.
        epochs: of each training; None: 15, and 8 from 10,000 images on.
        study: its name; None: from data, space, budget and objective.
        studies_dir: folder of all studies.
        classes: names of the classes of images that are given as arrays.
        callbacks: told of every event (`igcnas.Callback`).
        progress: whether to show it: lines, or in a notebook a display that changes.
        options: any other option of `igcnas search --help`, with underscores: space, objective, sampler, device,
            workers, seed, image_size, data_dir, no_export=True, ...

    Returns:
        The study, also of a search that holds more than is asked for.

    Raises:
        IgcnasError: an option, the data or the budget cannot be; nothing was trained.
        KeyboardInterrupt: it was stopped; nothing is lost.
    """
    studies_dir = Path(studies_dir)
    asked = {"data": as_spec(data, studies_dir / "data", classes=classes), "budget_mflops": budget_mflops}
    asked |= {
        "budget_params": budget_params,
        "budget_ms": budget_ms,
        "networks": networks,
        "epochs": epochs,
        "study": study,
    }
    arguments = parsed("search", [], {**asked, "studies_dir": studies_dir, **options})
    if budget_mflops is None and budget_params is None and budget_ms is None and "limit" not in options:
        raise BudgetError(
            "igcnas.search needs a budget: give budget_mflops=N, the most millions of multiply-accumulates, "
            "budget_ms=N or budget_params=N"
        )
    notebook = progress and in_notebook()
    heard = [*callbacks, *([LiveSearch(networks)] if notebook else [])]
    folder = _Folder()
    silent = notebook or not progress
    arguments.callbacks = [folder, *(_aloud(one, sys.stdout) if silent else one for one in heard)]
    with using_storage(arguments):
        with contextlib.redirect_stdout(io.StringIO()) if silent else contextlib.nullcontext():
            status = arguments.run(arguments)
        if folder.path is None:
            raise StudyError("the search ended before it had a study")
        found = Study.read(folder.path)
    for callback in heard:
        callback.search_ended(found)
    if status >= 128:
        raise KeyboardInterrupt
    return SearchedStudy(found)


def open_study(study: str | Path, *, studies_dir: str | Path = STUDIES) -> SearchedStudy:
    """The study of this path, or of this name in `studies_dir`; StudyError names those known where there is none."""
    return SearchedStudy(Study.named(study, Path(studies_dir)))


def _aloud(callback: Callback, output: TextIO) -> Callback:
    """The same callback; what it prints is printed, also where the search is silent."""

    def loud(event: Callable[..., None]) -> Callable[..., None]:
        def told(*arguments: Any) -> None:
            with contextlib.redirect_stdout(output):
                event(*arguments)

        return told

    heard = Callback()
    for name in ("search_began", "trial_began", "epoch_ended", "trial_ended"):
        setattr(heard, name, loud(getattr(callback, name)))
    return heard


class _Folder(Callback):
    """Remembers where the study is."""

    path: Path | None = None

    def search_began(self, folder: Path) -> None:
        """Keep it."""
        self.path = folder
