"""Who teaches a network that is finished: a network of the study, or the same network wider.

Convention: `--teacher none`, `auto` (the most accurate network of the study that costs more and is more accurate, if
there is one), a number of the study, `4x`: the same structure at four times the multiply-accumulates; or `usual`: 4x
where there are many images, else none. A teacher is trained by the same recipe, once, and is not taught itself: where
it is asked for as well, it is finished untaught.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from igcnas.errors import IgcnasError, StudyError
from igcnas.network.architecture import Architecture
from igcnas.network.baselines import baselines
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count
from igcnas.results.finishing.plan import Member, many_images, network_of
from igcnas.search.records import Network
from igcnas.search.space import load_space
from igcnas.search.study import Study

NONE, AUTO, USUAL = "none", "auto", "usual"
# What a teacher gains, and at which size, is measured: benchmarks/results/ingredients.md.
_MEASURED = "4x"
_WIDER = re.compile(r"(\d+(?:\.\d+)?)x")
_MOST_TIMES = 100.0
# Of the targets, where a recipe does not say (benchmarks/results/ingredients.md).
TAUGHT_SHARE = 0.5


def check_teacher(words: str) -> None:
    """Refuse what names no teacher, in one line."""
    wider = _WIDER.fullmatch(words)
    if wider and not 1 < float(wider[1]) <= _MOST_TIMES:
        raise IgcnasError(f"--teacher {words} must be more than 1x and at most {_MOST_TIMES:g}x; 4x is usual")
    if not (wider or words in (NONE, AUTO, USUAL) or words.isdecimal()):
        raise IgcnasError(
            f"--teacher {words!r} must be usual, auto, none, the number of a network of the study, or as in 4x"
        )


def usual_teacher(study: Study, asked: Sequence[Network]) -> str:
    """What `usual` means for these networks: 4x where a teacher has been found to pay and each can be made wider."""
    if not many_images(len(study.data.train.labels)):
        return NONE
    try:
        teachers_of(study, asked, _MEASURED)
    except StudyError:
        return NONE
    return _MEASURED


def teachers_of(study: Study, asked: Sequence[Network], words: str) -> Mapping[int, Member]:
    """The teacher of each of these networks, by the number of that network; those without one are left out.

    Raises:
        StudyError: the study has no such network, or it cannot be made wider.
    """
    if words == NONE:
        return {}
    found: dict[int, Member] = {}
    for network in asked:
        teacher = _teacher(study, network, words)
        if teacher is not None:
            found[network.record.number] = teacher
    taught = {f"trial {number}" for number in found}
    teaching = {teacher.name for teacher in found.values()}
    return {number: one for number, one in found.items() if f"trial {number}" not in taught & teaching}


def _teacher(study: Study, network: Network, words: str) -> Member | None:
    record = network.record
    if wider := _WIDER.fullmatch(words):
        architecture = _wider(study, network, float(wider[1]))
        return Member(
            name=f"trial {record.number} at {words}",
            number=None,
            architecture=architecture,
            asked=False,
            teacher=None,
            val_accuracy=None,
        )
    if words == AUTO:
        larger = [
            one for one in study.networks if one.record.final_macs > record.final_macs and one.mean > network.mean
        ]
        chosen = max(larger, key=lambda one: one.mean, default=None)
    else:
        chosen = network_of(study, study.trained_record(int(words)))
        if chosen.record.number == record.number:
            return None
    if chosen is None:
        return None
    return Member(
        name=f"trial {chosen.record.number}",
        number=chosen.record.number,
        architecture=chosen.record.architecture,
        asked=False,
        teacher=None,
        val_accuracy=chosen.mean,
    )


def _wider(study: Study, network: Network, times: float) -> Architecture:
    """The widest network of the same structure that costs at most so many times as much."""
    record, settings = network.record, study.settings
    budget = macs_budget(round(times * count(record.architecture).macs))
    shape, classes = settings.data.input_shape, len(settings.data.classes)
    if record.baseline is not None:
        fits = baselines(shape, classes, budget)
        fit = fits.get(record.baseline)
    else:
        space = load_space(settings.space_path)
        if space.to_dict() != settings.space:
            raise StudyError(
                f"space {settings.space_path} is not what the study was searched with, so that its networks cannot be "
                "made wider; restore it, or give --teacher auto or none"
            )
        fit = space.decode(study.parameters[record.number], shape, classes).fit(budget)
    if fit is None or count(fit.architecture).macs <= count(record.architecture).macs:
        raise StudyError(
            f"network {record.number} cannot be made wider: the space ends at {settings.space['max_width']} channels; "
            "give --teacher auto or none"
        )
    return fit.architecture
