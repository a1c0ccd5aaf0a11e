"""What a network may cost: a set of limits, each a function of the plan that does not fall as the network gets wider.

A time in milliseconds is one, too, by what predicts it (`TIME`); it may fall where channels come to fit a runtime.

To add a limit, add it to LIMITS: its option, the width solver, and what commands say of it follow. One of another
package is an entry point of the group igcnas.limits, a `Limit` under its name; its option is --limit NAME=N.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from igcnas.errors import AdditionError, BudgetError, unknown_name
from igcnas.network.cost import count_plan
from igcnas.network.plan import Plan
from igcnas.system import additions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limit:
    """One thing of which a budget allows so much.

    Attributes:
        name: by which settings and records know it.
        option: its option, behind `--budget-`.
        size: what one unit of the option is.
        words: what it limits, for the help of the option.
        unit: behind a number that people read, and
        shown_size: what one of these is.
        letter: the unit in the name of a study.
        of: the value of a plan, a whole number that does not fall with the width; or, where there is one,
        least: a number that is not above the value, and does not fall with it but for the narrowest networks
            (`network.width`).
    """

    name: str
    option: str
    size: float
    words: str
    unit: str
    shown_size: float
    letter: str
    of: Callable[[Plan], int]
    least: Callable[[Plan], int] | None = None

    def bound(self, network: Plan) -> int:
        """At most the value; it does not fall with the width, as `least` does not."""
        return (self.least or self.of)(network)

    def argument(self, number: str) -> list[str]:
        """The words of a command line that give it this number."""
        own = self.name in (*LIMITS, TIME.name)
        return [f"--budget-{self.option}", number] if own else ["--limit", f"{self.name}={number}"]

    def show(self, value: float) -> str:
        """A value with its unit, in three significant digits."""
        return f"{value / self.shown_size:.3g} {self.unit}"

    def show_exactly(self, value: float) -> str:
        """A value with its unit, in as many digits as it has."""
        return f"{value / self.shown_size:.12g} {self.unit}"

    def read(self, number: float) -> int:
        """The value that a number behind the option means."""
        if not 0 < number < math.inf:
            given = " ".join(self.argument(f"{number:g}"))
            raise BudgetError(f"{given} must be a positive number, as in {self._example}")
        if (value := round(number * self.size)) < 1:
            raise BudgetError(f"{' '.join(self.argument(f'{number:g}'))} allows no {self.name}; raise it")
        return value

    @property
    def _example(self) -> str:
        return "0.2" if self.size > 1 else "200000"


MACS = Limit(
    name="macs",
    option="mflops",
    size=1e6,
    words="millions of multiply-accumulates of convolutions and linear layers for one image (one multiply-accumulate "
    "counts once; batch norm and activations are free)",
    unit="MFLOPs",
    shown_size=1e6,
    letter="M",
    of=lambda network: count_plan(network).macs,
)
PARAMS = Limit(
    name="params",
    option="params",
    size=1.0,
    words="parameters (weights, biases, and scale and shift of batch norm)",
    unit="k params",
    shown_size=1e3,
    letter="kparams",
    of=lambda network: count_plan(network).params,
)
# In the order in which they are named. The first that a budget has is what networks are spread over.
LIMITS: dict[str, Limit] = {limit.name: limit for limit in (MACS, PARAMS)}


class Predictor(Protocol):
    """What predicts the time of a plan, in nanoseconds."""

    def nanoseconds(self, network: Plan) -> int:
        """The prediction."""
        ...

    def least_nanoseconds(self, network: Plan) -> int:
        """At most that; as `Limit.least`."""
        ...


def _unpredicted(_network: Plan) -> int:
    raise AssertionError("the budget has nothing to predict a time by")


# Of one call, in the runtime and on the machine of what predicts it, which a budget holds: no function of a plan alone.
TIME = Limit(
    name="time",
    option="ms",
    size=1e6,
    words="milliseconds of one call, as predicted for the runtime of --runtime on this machine; each network is also "
    "measured before it is trained, and not trained if it takes longer",
    unit="ms",
    shown_size=1e6,
    letter="ms",
    of=_unpredicted,
)


def limit_named(name: str) -> Limit:
    """The limit of this name, also of another package; BudgetError names those known."""
    if name == TIME.name:
        return TIME
    return LIMITS[name] if name in LIMITS else _added(name)


@lru_cache
def _added(name: str) -> Limit:
    """A limit of another package."""
    added = additions.addition(additions.LIMITS, name)
    if added is None:
        raise BudgetError(unknown_name("limit", name, (*LIMITS, *additions.names(additions.LIMITS))))
    limit: Limit = added.load(Limit)
    if limit.name != name:
        raise AdditionError(
            f"the {added} calls itself {limit.name!r}; update that package, or remove it: pip uninstall {added.package}"
        )
    return limit


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a network may cost, by the names of the limits. times: what predicts a time that is limited.

    >>> Budget({"macs": 200_000, "params": 20_000}).words()
    '0.2 MFLOPs and 20 k params'
    """

    limits: Mapping[str, int]
    times: Predictor | None = None

    def __post_init__(self) -> None:
        if not self.limits:
            options = " or ".join(f"--budget-{limit.option} N" for limit in (*LIMITS.values(), TIME))
            raise BudgetError(f"a budget limits something; give {options}")
        own = (*LIMITS, TIME.name)
        order = [*own, *sorted(limit_named(name).name for name in self.limits if name not in own)]
        ordered = sorted(self.limits, key=order.index)
        object.__setattr__(self, "limits", {name: self.limits[name] for name in ordered})

    @property
    def first(self) -> Limit:
        """The limit that networks of a front are spread over: MACs where they are limited."""
        return self.limit(next(iter(self.limits)))

    def limit(self, name: str) -> Limit:
        """The limit of this name; a time by what this budget predicts it by."""
        if name != TIME.name or self.times is None:
            return limit_named(name)
        return replace(TIME, of=self.times.nanoseconds, least=self.times.least_nanoseconds)

    @property
    def most(self) -> int:
        """The most that the first limit allows."""
        return self.limits[self.first.name]

    def below(self, target: int) -> Budget:
        """The same, but with the first limit at a target."""
        return Budget({**self.limits, self.first.name: target}, self.times)

    def keeps(self, network: Plan) -> bool:
        """Whether a network of this plan keeps every limit."""
        return all(self.limit(name).of(network) <= most for name, most in self.limits.items())

    @property
    def steady(self) -> bool:
        """Whether no limit has a bound of its own: what is used never falls with the width."""
        return all(self.limit(name).least is None for name in self.limits)

    def may_keep(self, network: Plan) -> bool:
        """Whether it, or a wider one, may: False for all that are wider than one for which it is."""
        return all(self.limit(name).bound(network) <= most for name, most in self.limits.items())

    def allows(self, values: Mapping[str, int]) -> bool:
        """Whether these values, by the names of limits, keep every limit."""
        return all(values[name] <= most for name, most in self.limits.items())

    def get(self, name: str | None) -> int | None:
        """What it allows of the limit of this name; None where it does not limit it."""
        return None if name is None else self.limits.get(name)

    def words(self) -> str:
        """All limits, for people."""
        return " and ".join(limit_named(name).show(most) for name, most in self.limits.items())

    def letters(self) -> str:
        """All limits, for the name of a study."""
        return "-".join(
            f"{most / (limit := limit_named(name)).shown_size:g}{limit.letter}" for name, most in self.limits.items()
        )

    def options(self) -> list[str]:
        """The options of a command line that mean this budget."""
        words = []
        for name, most in self.limits.items():
            limit = limit_named(name)
            words += limit.argument(f"{most / limit.size:.12g}")
        return words


def budget_of(macs: int | None, others: Mapping[str, int], times: Predictor | None = None) -> Budget:
    """A budget as settings hold it: MACs, None where they are not limited, and all other limits by their names."""
    return Budget({**({} if macs is None else {MACS.name: macs}), **others}, times)


def macs_budget(macs: int) -> Budget:
    """A budget that limits multiply-accumulates alone."""
    return Budget({MACS.name: macs})
