"""Which searches are repeats of one method: those whose settings differ in the seed alone.

The engine is not a setting in this sense, nor are paths; 'auto' is the sampler that it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from igcnas.errors import StudyError, unknown_name
from igcnas.search.proposals import resolve_sampler
from igcnas.search.study import Study
from igcnas.training.settings import flatten
from igcnas.units import counted

_NO_METHOD = (
    "seed",
    "training.seed",
    "training.engine",
    "space_path",
    "data.spec",
    "data.data_dir",
    "data.name",
    "data.classes",
    "data.image_size",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Method:
    """Searches that are repeats of each other, in the order in which they were given."""

    name: str
    searches: tuple[Study, ...]


def by_settings(searches: Sequence[Study]) -> list[Method]:
    """Methods in the order in which their first search was given.

    A method with one search is called as its study; one with several by the settings in which it differs from the
    others, or by what the names of its studies begin with.
    """
    groups: dict[str, list[Study]] = {}
    for search in searches:
        groups.setdefault(str(sorted(_settings(search).items())), []).append(search)
    settings = [_settings(group[0]) for group in groups.values()]
    keys = {key for some in settings for key in some if len({str(other.get(key)) for other in settings}) > 1}
    names = [_name(group, keys) for group in groups.values()]
    if len(set(names)) < len(names):
        names = [_common(group) for group in groups.values()]
    if len(set(names)) < len(names):
        names = [group[0].name for group in groups.values()]
    return [Method(name=name, searches=tuple(group)) for name, group in zip(names, groups.values(), strict=True)]


def given(searches: Sequence[Study], groups: Mapping[str, Sequence[str]]) -> list[Method]:
    """Methods as the user groups them, by the names of the studies; the others by their settings."""
    known = {search.name: search for search in searches}
    taken: set[str] = set()
    methods = []
    for method, names in groups.items():
        for name in names:
            if name not in known:
                raise StudyError(unknown_name("study in a group:", name, known))
            if name in taken:
                raise StudyError(f"study {name!r} is in two groups; a search belongs to one method")
            taken.add(name)
        methods.append(Method(name=method, searches=tuple(known[name] for name in names)))
    rest = [search for search in searches if search.name not in taken]
    found = [*methods, *(by_settings(rest) if rest else ())]
    if len({method.name for method in found}) < len(found):
        raise StudyError(
            f"two methods are called alike: {', '.join(method.name for method in found)}; name the groups anew"
        )
    return found


def _settings(search: Study) -> dict[str, Any]:
    flat = flatten(search.settings.to_dict())
    found = {key: value for key, value in flat.items() if key not in _NO_METHOD}
    return found | {"sampler": resolve_sampler(search.settings.sampler)}


def _name(group: Sequence[Study], keys: set[str]) -> str:
    if len(group) == 1:
        return group[0].name
    settings = group[0].settings
    words = {
        "space.name": f"space {settings.space['name']}",
        "sampler": resolve_sampler(settings.sampler),
        "pruner": f"pruner {settings.pruner}",
        "objective": f"objective {settings.objective}",
        "budget_macs": settings.budget.words(),
        "baselines": "baselines first" if settings.baselines else "no baselines",
        "training.epochs": f"{counted(settings.training.epochs, 'epoch')}",
    }
    return ", ".join(word for key, word in words.items() if key in keys) or _common(group)


def _common(group: Sequence[Study]) -> str:
    """What the names of the studies begin with, without the end of a number."""
    names = [search.name for search in group]
    same = 0
    while all(len(name) > same and name[same] == names[0][same] for name in names):
        same += 1
    return names[0][:same].rstrip("-_.0123456789 ") or names[0]
