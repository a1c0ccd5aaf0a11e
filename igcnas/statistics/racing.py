"""Which network is really the best, given a few trainings of each, and which to train once more to find out.

Convention: accuracies are validation accuracies in percent, one a seed, by network id; the first is the one that every
network has. All functions are deterministic in their inputs, whatever the order of the mapping.

The model (after Robbins 1956): on the arcsine scale z = asin(sqrt(accuracy)), on which the error of a count of right
answers is the same at every accuracy (Anscombe 1948), a training gives z = theta + normal noise of one variance for all
networks, and theta, the network's own, is normal over the networks. The three numbers of the model are not known: all
that agree with the trainings are weighed by how well they do (`_weighed`), so that a spread that was seen in few
repeats is not taken for certain. All trainings count, so that it does not matter that repeats were chosen by what was
seen.
Three things keep it honest:

- While little is repeated, the noise cannot be seen. It then is the binomial error of `images` validation images, give
  or take: log-normal around it, as sure as `_PRIOR_DEGREES` further trainings of baselines would make it.
- Searched networks are not normal: few are far below the others. The prior is fitted to the upper half by first seed;
  of the lower half only its place is used (a censored likelihood, as of Tobin 1958).
- The spread between networks never vanishes (penalty of Chung et al. 2013), and is weakly bounded.

What a probability is about: the mean over many seeds on these validation images. Every seed is judged on the same ones,
whose choice favours the same networks each time. Repeats do not show this error, and the probabilities leave it out.
See SPLIT_NOTE; the error of an accuracy on new images is in `igcnas.statistics.noise`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igcnas.statistics.intervals import deviation, mean
from igcnas.statistics.noise import Noise, standard_error

Accuracies = Mapping[str, Sequence[float]]
Floats = NDArray[np.float64]

SPLIT_NOTE = (
    "all seeds are judged on the same validation images; the error of that choice of images is not in these numbers"
)
_PRIOR_DEGREES = 4.0
_WIDEST = 0.5  # sd of networks on the arcsine scale; all accuracies are within pi / 2
_FEWEST = 10  # networks whose accuracy, not only its rank, tells of the others
_STEPS_PER_DEVIATION = 8
_MOST_STEPS = 20_000
_NODES = 3  # in each direction of the numbers of the model
_MOST_AGAIN = 3.0  # log of the most by which the likelihood may weigh such a point anew
_SHOWN = 0.01  # probability from which a network is a runner-up


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One network: mean and sd (None with one training) of its n accuracies, in percent, and what follows from all.

    expected and uncertainty are mean and standard deviation of its true accuracy: what many seeds would average to.
    probability: that no other network of the study is truly better.
    """

    name: str
    n: int
    mean: float
    sd: float | None
    expected: float
    uncertainty: float
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who leads a study, and how sure that is.

    first: the network of the highest expected accuracy. runners_up: the others that are the best with 1 % or more.
    optimism: what the first look promised too much: the accuracy of the first seed of the network that looked best on
    first seeds, minus its expected accuracy now. typical_optimism: the same before any repeat, from the model: how far
    the highest of so many single trainings lies above the true accuracy of its network, on average.
    seed_sd: of a training at the accuracy of the first, pooled over all networks with repeats, with `seed_degrees`
    degrees of freedom; the binomial error of the images in its place while there are none (0). networks, trainings: how
    many there are.
    """

    first: Contender
    runners_up: tuple[Contender, ...]
    optimism: float
    typical_optimism: float
    seed_sd: float
    seed_degrees: int
    networks: int
    trainings: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Posterior:
    """The model after the data, networks in the order of `names`; z is the arcsine scale.

    Each of `weights`, which add up to one, belongs to three numbers of the model, and to what follows from these: a row
    of centres and deviations, with a column a network.
    """

    names: tuple[str, ...]
    counts: NDArray[np.int64]
    weights: Floats
    centres: Floats
    deviations: Floats
    noise: Floats
    between: Floats

    @property
    def centre(self) -> Floats:
        """What is expected of each network, on the z scale."""
        expected: Floats = self.weights @ self.centres
        return expected

    @property
    def deviation(self) -> Floats:
        """How unsure that is."""
        spread: Floats = np.sqrt(self.weights @ (self.deviations**2 + (self.centres - self.centre) ** 2))
        return spread

    def percent(self, place: int) -> tuple[float, float]:
        """Mean and standard deviation of the accuracy of a network."""
        found = [
            _percent(float(c), float(d)) for c, d in zip(self.centres[:, place], self.deviations[:, place], strict=True)
        ]
        centre = float(self.weights @ [one for one, _ in found])
        square = float(self.weights @ [spread**2 + (one - centre) ** 2 for one, spread in found])
        return centre, math.sqrt(square)


def standing(accuracies: Accuracies, *, images: int) -> Standing:
    """Who is first, how probably, and how much picking the highest has flattered it; `images` validated each training.

    ValueError without a network, or for one without a training.
    """
    posterior = _fit(accuracies, images)
    probabilities = _best(posterior)
    contenders = [
        _contender(name, accuracies[name], posterior, probabilities, place)
        for place, name in enumerate(posterior.names)
    ]
    leader = _leader(posterior)
    first = contenders[leader]
    others = [one for one in contenders if one is not first and one.probability >= _SHOWN]
    flattered = max(range(len(contenders)), key=lambda place: accuracies[contenders[place].name][0])
    slope = 100.0 * math.sin(2 * posterior.centre[leader])  # of accuracy against z
    noise = Noise.of(accuracies.values(), images)
    return Standing(
        first=first,
        runners_up=tuple(sorted(others, key=lambda one: (-one.probability, one.name))),
        optimism=accuracies[contenders[flattered].name][0] - contenders[flattered].expected,
        typical_optimism=slope * _typical_excess(posterior),
        seed_sd=noise.seed_sd(first.expected) or standard_error(first.expected, images),
        seed_degrees=noise.degrees,
        networks=len(contenders),
        trainings=int(posterior.counts.sum()),
    )


def expected(accuracies: Accuracies, *, images: int) -> dict[str, float]:
    """The expected true accuracy of each network, in percent: what a further training will give on average."""
    posterior = _fit(accuracies, images)
    return {name: posterior.percent(place)[0] for place, name in enumerate(posterior.names)}


def next_repeat(accuracies: Accuracies, *, seeds: int, images: int, confidence: float = 0.95) -> str | None:
    """The network to train once more: the leader or its strongest challenger, whichever has fewer trainings.

    No network gets more than `seeds` trainings. None where the leader is the best with this probability, or where the
    best is, with this probability, among networks that have had all their trainings.
    """
    if seeds < 1 or not 0 < confidence < 1:
        raise ValueError(f"seeds {seeds} must be 1 or more, and confidence {confidence} between 0 and 1")
    posterior = _fit(accuracies, images)
    probabilities = _best(posterior)
    leader = _leader(posterior)
    open_ = posterior.counts < seeds
    if probabilities[leader] >= confidence or probabilities[open_].sum() <= 1 - confidence:
        return None
    centres, deviations = posterior.centre, posterior.deviation
    gaps = centres - centres[leader]
    gaps /= np.hypot(deviations, deviations[leader])
    gaps[leader] = -np.inf
    challenger = int(gaps.argmax())
    pair = [place for place in (leader, challenger) if open_[place]]
    if pair:
        return posterior.names[min(pair, key=lambda place: (posterior.counts[place], posterior.names[place]))]
    gaps[~open_] = -np.inf
    return posterior.names[int(gaps.argmax())]


def _contender(
    name: str, values: Sequence[float], posterior: _Posterior, probabilities: Floats, place: int
) -> Contender:
    expected, uncertainty = posterior.percent(place)
    return Contender(
        name=name,
        n=len(values),
        mean=mean(values),
        sd=deviation(values) if len(values) > 1 else None,
        expected=expected,
        uncertainty=uncertainty,
        probability=float(probabilities[place]),
    )


def _leader(posterior: _Posterior) -> int:
    """The highest expectation; names are sorted, and the first of equal ones is taken."""
    # Networks of equal trainings are equal: rounding in a sum of weights must not decide.
    return int(np.round(posterior.centre, 12).argmax())


def _fit(accuracies: Accuracies, images: int) -> _Posterior:
    """The model's numbers, then each network's own."""
    if not accuracies or images < 1:
        raise ValueError(f"{len(accuracies)} networks on {images} images: give at least one of each")
    names = tuple(sorted(accuracies))
    for name in names:
        if not len(accuracies[name]) or not all(0 <= value <= 100 for value in accuracies[name]):
            raise ValueError(f"accuracies of {name!r} are {list(accuracies[name])}; give one or more, in percent")
    scaled = [_arcsine(np.array(accuracies[name], dtype=float), images) for name in names]
    counts = np.array([len(values) for values in scaled])
    means = np.array([values.mean() for values in scaled])
    squares = np.array([((values - values.mean()) ** 2).sum() for values in scaled])
    weights, numbers = _weighed(np.array([values[0] for values in scaled]), counts, means, squares, images)
    prior_mean, between, noise = numbers[:, :1], np.exp(numbers[:, 1:2]), np.exp(numbers[:, 2:])
    precision = counts / noise**2 + 1 / between**2
    return _Posterior(
        names=names,
        counts=counts,
        weights=weights,
        centres=(means * counts / noise**2 + prior_mean / between**2) / precision,
        deviations=precision**-0.5,
        noise=noise[:, 0],
        between=between[:, 0],
    )


def _arcsine(accuracies: Floats, images: int) -> Floats:
    """Percent to the scale of equal errors, with Anscombe's 3/8: 100 % stays away from the end."""
    scaled: Floats = np.arcsin(np.sqrt((accuracies / 100 * images + 0.375) / (images + 0.75)))
    return scaled


def _percent(centre: float, spread: float) -> tuple[float, float]:
    """Mean and standard deviation of 100 sin^2(z) for normal z, exactly, from E cos 2z and E cos 4z."""
    twice = math.exp(-2 * spread**2) * math.cos(2 * centre)
    square = (1 + math.exp(-8 * spread**2) * math.cos(4 * centre)) / 2
    return 50.0 * (1 - twice), 50.0 * math.sqrt(max(0.0, square - twice**2))


def _weighed(
    first: Floats, counts: NDArray[np.int64], means: Floats, squares: Floats, images: int
) -> tuple[Floats, Floats]:
    """The numbers of the model that agree with the trainings: weights, and a row for each.

    A row is (mean of the networks, log of their spread, log of the noise of a training). Rows are the points of a
    Gauss-Hermite rule around the most likely ones, weighed anew by the likelihood itself.
    """
    from scipy.optimize import minimize

    binomial = 0.5 / math.sqrt(images)
    if len(first) == 1:
        return np.ones(1), np.array([[means[0], math.log(binomial), math.log(binomial)]])
    above = min(len(first), max(_FEWEST, (len(first) + 1) // 2))
    cut = np.sort(first)[-above]
    full = first >= cut
    cost = _Cost(counts[full], means[full], squares[full], below=int((~full).sum()), cut=float(cut), binomial=binomial)
    visible = max(float(first[full].var()) - binomial**2, (binomial / 4) ** 2)
    start = np.array([first[full].mean(), 0.5 * math.log(visible), math.log(binomial)])
    simplex = np.vstack([start, start + np.diag([binomial, 0.5, 0.5])])
    options = {"initial_simplex": simplex, "xatol": 1e-6, "fatol": 1e-8, "maxiter": 2000, "maxfev": 2000}
    top = minimize(cost, start, method="Nelder-Mead", options=options).x
    axes = _axes(cost, top, np.array([0.1 * binomial, 0.05, 0.05]))
    standard, weights = _rule(len(top))
    points = top + standard @ axes
    heights = np.array([cost(point) for point in points]) - cost(top)
    weights = weights * np.exp(np.clip(0.5 * (standard**2).sum(1) - heights, -50, _MOST_AGAIN))
    return weights / weights.sum(), points


@dataclass(frozen=True, slots=True)
class _Cost:
    """Minus the log of likelihood and priors, of (mean, log spread, log noise); networks whose accuracy tells alone."""

    n: NDArray[np.int64]
    centres: Floats
    within: Floats
    below: int
    cut: float
    binomial: float

    def __init__(
        self, n: NDArray[np.int64], centres: Floats, within: Floats, *, below: int, cut: float, binomial: float
    ) -> None:
        for name, value in zip(self.__slots__, (n, centres, within, below, cut, binomial), strict=True):
            object.__setattr__(self, name, value)

    def __call__(self, numbers: Floats) -> float:
        from scipy.special import log_ndtr

        centre, between, noise = float(numbers[0]), math.exp(numbers[1]), math.exp(numbers[2])
        spread = noise**2 + self.n * between**2
        likelihood = -0.5 * float(
            (
                (self.n - 1) * 2 * math.log(noise)
                + self.within / noise**2
                + np.log(spread)
                + self.n * (self.centres - centre) ** 2 / spread
            ).sum()
        )
        if self.below:
            likelihood += self.below * float(log_ndtr((self.cut - centre) / math.hypot(between, noise)))
        prior = -_PRIOR_DEGREES * math.log(noise / self.binomial) ** 2
        return -(likelihood + prior + math.log(between) - 0.5 * (between / _WIDEST) ** 2)


def _axes(cost: Callable[[Floats], float], top: Floats, steps: Floats) -> Floats:
    """Rows by which the numbers move for one standard deviation: of the curvature at the most likely ones."""
    moves = np.diag(steps)
    curvature = np.array(
        [
            [
                cost(top + one + two) - cost(top + one - two) - cost(top - one + two) + cost(top - one - two)
                for two in moves
            ]
            for one in moves
        ]
    ) / (4 * np.outer(steps, steps))
    scale = np.array([1.0 / steps[0], 1.0, 1.0])
    values, vectors = np.linalg.eigh(curvature / np.outer(scale, scale))
    # Where hardly anything is known, two units of a logarithm are far enough.
    axes: Floats = (vectors / np.sqrt(np.maximum(values, 0.25))).T / scale
    return axes


def _rule(dimensions: int) -> tuple[Floats, Floats]:
    """Points of the standard normal distribution and their weights: `_NODES` in each direction."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    points = np.array(list(itertools.product(nodes, repeat=dimensions)))
    return points, np.array([math.prod(one) for one in itertools.product(weights, repeat=dimensions)])


def _best(posterior: _Posterior) -> Floats:
    """For each network the probability that its theta is the highest, over all numbers of the model."""
    rows = zip(posterior.weights, posterior.centres, posterior.deviations, strict=True)
    shares: Floats = sum(weight * _highest(centres, spreads) for weight, centres, spreads in rows)
    return shares


def _highest(centres: Floats, spreads: Floats) -> Floats:
    """For each normal value the probability that it is the highest: one integral, no random numbers."""
    from scipy.special import log_ndtr

    low, high = float((centres - 8 * spreads).max()), float((centres + 8 * spreads).max())
    steps = min(_MOST_STEPS, math.ceil((high - low) / float(spreads.min()) * _STEPS_PER_DEVIATION))
    grid = np.linspace(low, high, max(2, steps))
    near = centres + 8 * spreads > low  # of the others the probability of being above is nothing
    standard = (grid - centres[near, None]) / spreads[near, None]
    logs = log_ndtr(standard)
    density = np.exp(logs.sum(0) - logs - 0.5 * standard**2) / spreads[near, None]
    shares = np.zeros(len(centres))
    shares[near] = density.sum(1)
    return shares / float(shares.sum())


def _typical_excess(posterior: _Posterior) -> float:
    """On the z scale: noise^2 / total spread, times the expected maximum of so many standard normals."""
    count = len(posterior.names)
    if count == 1:
        return 0.0
    from scipy.special import log_ndtr

    x = np.linspace(-8, 8, 3201)
    density = np.exp(math.log(count) - 0.5 * x**2 + (count - 1) * log_ndtr(x)) / math.sqrt(2 * math.pi)
    highest = float((x * density).sum() * (x[1] - x[0]))
    noise, between = (math.exp(posterior.weights @ np.log(one)) for one in (posterior.noise, posterior.between))
    return noise**2 / math.hypot(noise, between) * highest
