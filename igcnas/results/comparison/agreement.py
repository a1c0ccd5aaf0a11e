"""Which studies may be compared: those that judge a network alike.

The same network must be worth the same in both, but for chance. So the data, how they are trained on, the share that is
put aside for validation and the objective must agree; latency is of one device. Space, sampler, pruner and budget are
what is compared. Engines round differently, and no device is like another: that is noise, and told.

The seed of a study also chooses its validation images. Searches that are repeated vary it: that is part of what is
repeated. A method of which there is one search must share its seed with the others, or it is judged on other images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from igcnas.errors import StudyError
from igcnas.results.comparison.methods import Method
from igcnas.search.study import Study
from igcnas.training.settings import flatten

_NO_DIFFERENCE = ("training.seed", "training.engine")
_SHOWN = 4


def terms(search: Study) -> dict[str, Any]:
    """What must agree, by the names of settings.json."""
    settings = search.settings
    found = flatten({"training": asdict(settings.training)})
    found = {key: value for key, value in found.items() if key not in _NO_DIFFERENCE}
    found |= {"data.fingerprint": settings.data.fingerprint, "objective": settings.objective}
    if settings.compares.timed:
        if settings.latency is None:
            found["device"] = ", ".join(sorted({r.device for r in search.records if r.device})) or "none yet"
        else:
            found["latency"] = search.timed_by
    return found


def panels(methods: Sequence[Method], *, apart: bool) -> list[list[Method]]:
    """Methods that may be compared, together; StudyError where that is not all of them and they are not told `apart`.

    A method whose searches disagree among themselves is divided, too.
    """
    divided: dict[str, list[Method]] = {}
    for method in methods:
        kinds: dict[str, list[Study]] = {}
        for search in method.searches:
            kinds.setdefault(str(sorted(terms(search).items())), []).append(search)
        for kind, some in kinds.items():
            divided.setdefault(kind, []).append(Method(name=method.name, searches=tuple(some)))
    found = list(divided.values())
    if len(found) > 1 and not apart:
        first, second = found[0][0].searches[0], found[1][0].searches[0]
        mine, theirs = terms(first), terms(second)
        differing = [
            f"{k}: {mine.get(k)} -> {theirs.get(k)}" for k in sorted(mine | theirs) if mine.get(k) != theirs.get(k)
        ]
        more = f"; and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        raise StudyError(
            f"{first.name} and {second.name} judge networks differently ({'; '.join(differing[:_SHOWN])}{more}), so "
            "that no difference between them would mean anything; leave one out, or set them apart with --apart"
        )
    return [part for panel in found for part in _by_split(panel, apart=apart)]


def _by_split(panel: list[Method], *, apart: bool) -> list[list[Method]]:
    """Where a single search has validation images of its own, it is a panel of its own, or an error."""
    own = all(search.settings.data.own_validation for method in panel for search in method.searches)
    if len(panel) == 1 or own:  # a validation split that the data bring is the same for every seed
        return [panel]
    lonely = [
        method
        for method in panel
        if len(method.searches) == 1
        and not all(method.searches[0].seed in {s.seed for s in other.searches} for other in panel)
    ]
    if not lonely:
        return [panel]
    if not apart:
        one = lonely[0].searches[0]
        other = next(s for m in panel for s in m.searches if s.seed != one.seed)
        raise StudyError(
            f"{one.name} and {other.name} have other validation images (seed: {one.seed} -> {other.seed}); search "
            "with the same --seed, or with each of several seeds, or set them apart with --apart"
        )
    together = [method for method in panel if method not in lonely]
    seeds = sorted({method.searches[0].seed for method in lonely})
    alone = [[m for m in lonely if m.searches[0].seed == seed] for seed in seeds]
    return [part for part in (together, *alone) if part]
