"""Which samplers there are, each with a sentence for the help of a command; none of what they need is loaded here.

A sampler is a generator of choices from what is known, the most wanted first; whoever asks takes the first that fits
and is new. It has no state of its own. To add one: a generator in igcnas/search/proposals/samplers, and a row in
SAMPLERS; from another package, an entry point of the group igcnas.samplers, a `Sampler` (docs/extending.md).
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from igcnas.errors import IgcnasError, unknown_name
from igcnas.system import additions

if TYPE_CHECKING:
    from igcnas.search.proposals.samplers.knowledge import Knowledge

AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """asks: choices from what is known. sentence: for --help.

    starts: whether it has too little to go by yet, so that what it asks now is drawn at random, whatever is known.
    chooses_target: where a front is searched, it is told accuracy and cost and proposes the MAC target too; a study
    with it cannot be pruned.
    """

    asks: Callable[[Knowledge], Iterator[dict[str, Any]]]
    starts: Callable[[Knowledge], bool]
    sentence: str
    chooses_target: bool = False


def _late(place: str) -> Callable[[Knowledge], Any]:
    """The function 'module:name' of proposals.samplers, imported when it is called: Optuna and SciPy load slowly."""

    def call(known: Knowledge) -> Any:
        return pkgutil.resolve_name(f"igcnas.search.proposals.samplers.{place}")(known)

    return call


SAMPLERS = {
    "gp": Sampler(
        asks=_late("bayesian:gp"),
        starts=_late("bayesian:gp_starts"),
        sentence="Gaussian process over the choices, ranking what fits the budget and is new",
    ),
    "tpe": Sampler(
        asks=_late("of_optuna:tpe"),
        starts=_late("of_optuna:tpe_starts"),
        sentence="Optuna's tree-structured Parzen estimator",
    ),
    "random": Sampler(
        asks=_late("evolution:at_random"), starts=lambda known: True, sentence="every structure equally likely"
    ),
    "evolution": Sampler(
        asks=_late("evolution:regularized_evolution"),
        starts=_late("evolution:evolution_starts"),
        sentence="regularized evolution: one change of the best of 5 of the last 20",
    ),
    "local": Sampler(
        asks=_late("evolution:local_search"),
        starts=_late("evolution:local_search_starts"),
        sentence="local search: one change after the other, kept if it is better, with new starts",
    ),
    "nsga2": Sampler(
        asks=_late("of_optuna:nsga2"),
        starts=_late("of_optuna:nsga2_starts"),
        sentence="Optuna's NSGA-II on accuracy and cost",
        chooses_target=True,
    ),
    "tpe-mo": Sampler(
        asks=_late("of_optuna:tpe"),
        starts=_late("of_optuna:tpe_starts"),
        sentence="TPE on accuracy and cost at once",
        chooses_target=True,
    ),
}


def sampler_named(name: str) -> Sampler:
    """The sampler, also of another package; an unknown name lists the known ones."""
    added = additions.addition(additions.SAMPLERS, name, own=(AUTO, *SAMPLERS))
    if added is not None:
        sampler: Sampler = added.load(Sampler)
        return sampler
    if name not in SAMPLERS:
        raise IgcnasError(unknown_name("sampler", name, (AUTO, *SAMPLERS, *additions.names(additions.SAMPLERS))))
    return SAMPLERS[name]


def resolve_sampler(name: str) -> str:
    """The sampler that `auto` stands for; other names as they are. What a study was started with is kept in it."""
    if name == AUTO:
        return "gp"
    sampler_named(name)
    return name
