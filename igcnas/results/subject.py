"""What igcnas draw draws: a block or network of the literature, a network of a study, a training, an export, a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.drawing.explanation import KINDS, Explanation
from igcnas.errors import ArchitectureError, IgcnasError, StudyError, unknown_name
from igcnas.network.architecture import Architecture
from igcnas.network.exported import Exported, read_exported
from igcnas.network.literature import FAMILIES
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Convolution

if TYPE_CHECKING:
    import torch

    from igcnas.drawing.connections import Connections
    from igcnas.search.settings import StudySettings

WHAT = ("block", "network", "connections", "all")
_IMAGES = 1000  # of the validation split, over which shares are taken
FIRST_WEIGHTS, EVERY_PAIR, TRAINED = "before training", "what training chooses from", "after training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is drawn. block: one block of the literature, then there is no architecture.

    trained: the lowered plan. before, after: connections of the learned layers, by path; empty where nothing is known.
    when: what `before` is. note: what cannot be shown, and why; or over which images.
    """

    name: str
    architecture: Architecture | None = None
    block: Explanation | None = None
    trained: Plan | None = None
    before: Mapping[str, Connections] = field(default_factory=dict)
    after: Mapping[str, Connections] = field(default_factory=dict)
    when: str = EVERY_PAIR
    note: str = ""


def find(
    name: str, words: list[str], *, what: str | None, stage: int | None, trial: int | None, studies: Path
) -> Source:
    """The thing of this name; IgcnasError with the known ones if there is none."""
    path = Path(name)
    if name.endswith(".json"):
        _no_words(name, words, trial)
        return _of_file(path)
    if path.is_dir() and _is_place(path):
        return _of_folder(path, words, trial)
    if trial is None and (name in KINDS or name in FAMILIES):
        return _of_literature(name, words, what, stage)
    if (studies / name / "settings.json").is_file():
        return _of_folder(studies / name, words, trial)
    from igcnas.search.folder import no_such_study
    from igcnas.search.settings import study_names

    known = study_names(studies)
    if trial is not None:
        raise no_such_study(name, studies, known)
    raise IgcnasError(unknown_name("block, family or study", name, {*KINDS, *FAMILIES, *known}))


def _is_place(path: Path) -> bool:
    return any((path / name).is_file() for name in ("settings.json", "architecture.json"))


def _no_words(name: str, words: list[str], trial: int | None) -> None:
    if words:
        raise ArchitectureError(f"{words[0]!r}: {name} is a finished network and takes no parameters")
    if trial is not None:
        raise StudyError(f"--trial is for studies, and {name} is none")


def _of_literature(name: str, words: list[str], what: str | None, stage: int | None) -> Source:
    """A block where the name is one, unless --what, --stage or a parameter of the family alone says otherwise."""
    as_block = name in KINDS
    if name in KINDS and name in FAMILIES:
        keys = {word.partition("=")[0] for word in words}
        of_block, of_family = (keys <= set(named[name].parameters) for named in (KINDS, FAMILIES))
        as_block = what in (None, "block") and stage is None and (of_block or not of_family)
    if as_block:
        if what in ("network", "connections", "all"):
            raise IgcnasError(f"{name} is one block; --what {what} needs a network: {', '.join(sorted(FAMILIES))}")
        return Source(name=name, block=KINDS[name].from_text(words))
    return Source(name=name, architecture=FAMILIES[name].from_text(words))


def _of_file(path: Path) -> Source:
    record = read_exported(path)
    if not record.whole:
        return Source(name=path.stem, architecture=record.architecture)
    return _of_export(path.parent.name or path.stem, record)


def _of_export(name: str, record: Exported) -> Source:
    """The record of an export says who meets whom; its weights are those of the lowered network."""
    architecture = record.architecture
    network = plan(architecture)
    if not learned_layers(network):
        return Source(name=name, architecture=architecture)
    from igcnas.drawing.learned import exported_connections, possible_connections

    try:
        after = exported_connections(network, record.assignments)
    except (ValueError, LookupError) as error:  # numbers of channels that the layers have not
        reason = " ".join(str(error).split())
        raise ArchitectureError(f"what {name} says of its learned layers does not fit them ({reason})") from None
    return Source(
        name=name,
        architecture=architecture,
        before=possible_connections(network),
        after=after,
        note="" if after else "Each image chooses its channels, and an export has no images: draw it from its study.",
    )


def _of_folder(folder: Path, words: list[str], trial: int | None) -> Source:
    if (folder / "architecture.json").is_file():
        _no_words(str(folder), words, trial)
        return _of_file(folder / "architecture.json")
    from igcnas.search.folder import has_records

    if not has_records(folder):
        _no_words(str(folder), words, trial)
        return _of_run(folder)
    if words:
        raise ArchitectureError(f"{words[0]!r}: networks of a study take no parameters; choose one by --trial NUMBER")
    return _of_study(folder, trial)


def _of_run(folder: Path) -> Source:
    """The best network of a training, and the weights that it started from, where these follow from its seed."""
    from igcnas.training.runs.settings import RunSettings, read_settings
    from igcnas.training.runs.weights import BEST, LAST, Checkpoint
    from igcnas.training.settings import network_seed

    settings = RunSettings.from_dict(read_settings(folder), where=str(folder))
    file = next((folder / name for name in (BEST, LAST) if (folder / name).is_file()), None)
    if file is None:
        note = "Not trained yet: counts are planned, and training has not decided who meets whom."
        return Source(name=folder.name, architecture=settings.architecture, note=note)
    seed = None if settings.pretrained else network_seed(settings.seed, settings.architecture.id)
    return _trained(folder.name, settings.architecture, Checkpoint.read(file).state, seed, None)


def _of_study(folder: Path, trial: int | None) -> Source:
    from igcnas.search.study import Study
    from igcnas.training.runs.weights import read_state

    study = Study.read(folder)
    record = study.record(trial)
    name = f"{folder.name}-{record.number:05d}"
    weights = study.weights_of(record)
    if not weights.is_file():
        note = f"Network {record.number} ({record.state}) left no weights: counts are planned."
        return Source(name=name, architecture=record.architecture, note=note)
    return _trained(name, record.architecture, read_state(weights), record.seed, study.settings)


def _trained(
    name: str,
    architecture: Architecture,
    state: dict[str, torch.Tensor],
    seed: int | None,
    study: StudySettings | None,
) -> Source:
    """A network with its weights; before: as its seed made it, every pair where that is not known."""
    network = plan(architecture)
    learned = learned_layers(network)
    if not learned and architecture.condense_classifier == 1:
        return Source(name=name, architecture=architecture)
    import torch

    from igcnas.drawing.learned import module_connections, possible_connections
    from igcnas.modules.build import build
    from igcnas.modules.lowering import lower
    from igcnas.training.runs.weights import loaded

    with torch.random.fork_rng(devices=[]):
        module = loaded(network, state, where=name)
        torch.manual_seed(0 if seed is None else seed)
        first = build(network)
    images, note = None, ""
    if any(layer.learned is not None and layer.learned.chooses_per_image for layer in learned.values()):
        images, note = _images(study)
    before = possible_connections(network) if seed is None else module_connections(first, images)
    return Source(
        name=name,
        architecture=architecture,
        trained=lower(network, module).plan,
        before=before,
        after=module_connections(module, images),
        when=EVERY_PAIR if seed is None else FIRST_WEIGHTS,
        note=note,
    )


def _images(study: StudySettings | None) -> tuple[torch.Tensor | None, str]:
    """Validation images of a study, normalised, and a note that says so; None, and why there are none."""
    lost = "Layers in which each image chooses its channels are left out:"
    if study is None:
        return None, f"{lost} only a study says which images."
    import torch

    from igcnas.training.tensors import TrainingData

    try:
        dataset = study.data.load()
    except IgcnasError as error:
        return None, f"{lost} {error}"
    if dataset.fingerprint() != study.data.fingerprint:
        return None, f"{lost} the data of the study has changed."
    data = TrainingData.of(dataset, study.training, torch.device("cpu"))
    images = data.validation.images[:_IMAGES]
    return data.normalize(images), f"Shares are of {len(images):,} validation images."


def learned_layers(network: Plan) -> dict[str, Convolution]:
    """The learned convolutions of a plan, by their paths."""
    return {
        path: layer for path, layer in network.layers() if isinstance(layer, Convolution) and layer.learned is not None
    }
