"""Which network is really the best, given a few trainings of each, and which to train once more to find out.

Convention: accuracies are validation accuracies in percent, one a seed, by network id; the first is the one that every
network has. All functions are deterministic in their inputs, whatever the order of the mapping.

The model (empirical Bayes, after Robbins 1956): on the arcsine scale z = asin(sqrt(accuracy)), on which the error of a
count of right answers is the same at every accuracy (Anscombe 1948), a training gives z = theta + normal noise of one
variance for all networks, and theta, the network's own, is normal over the networks. The three numbers of the model
are found by maximum likelihood on all trainings, so that it does not matter that repeats were chosen by what was seen.
Three things keep it honest:

- While little is repeated, the variance of the noise cannot be seen. It then is the binomial variance of `images`
  validation images; that prior counts as much as `_PRIOR_DEGREES` further trainings of known networks.
- Searched networks are not normal: few are far below the others. The prior is fitted to the upper half by first seed;
  of the lower half only its place is used (a censored likelihood, as of Tobin 1958).
- The spread between networks never vanishes (penalty of Chung et al. 2013).

What it cannot say: every seed is judged on the same validation images, so that their choice favours the same networks
each time. Repeats do not show this error, and the probabilities leave it out. See SPLIT_NOTE.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igcnas.statistics import deviation, mean

Accuracies = Mapping[str, Sequence[float]]
Floats = NDArray[np.float64]

SPLIT_NOTE = (
    "all seeds are judged on the same validation images; the error of that choice of images is not in these numbers"
)
_PRIOR_DEGREES = 4.0
_FEWEST = 10  # networks whose accuracy, not only its rank, tells of the others
_STEPS_PER_DEVIATION = 8
_MOST_STEPS = 20_000
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
    seed_sd: of a training at the accuracy of the first. networks, trainings: how many there are.
    """

    first: Contender
    runners_up: tuple[Contender, ...]
    optimism: float
    typical_optimism: float
    seed_sd: float
    networks: int
    trainings: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Posterior:
    """The model after the data, networks in the order of `names`; z is the arcsine scale."""

    names: tuple[str, ...]
    counts: NDArray[np.int64]
    centres: Floats
    deviations: Floats
    prior_mean: float
    noise: float
    between: float


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
    slope = 100.0 * math.sin(2 * posterior.centres[leader])  # of accuracy against z
    return Standing(
        first=first,
        runners_up=tuple(sorted(others, key=lambda one: (-one.probability, one.name))),
        optimism=accuracies[contenders[flattered].name][0] - contenders[flattered].expected,
        typical_optimism=slope * _typical_excess(posterior),
        seed_sd=slope * posterior.noise,
        networks=len(contenders),
        trainings=int(posterior.counts.sum()),
    )


def expected(accuracies: Accuracies, *, images: int) -> dict[str, float]:
    """The expected true accuracy of each network, in percent: what a further training will give on average."""
    posterior = _fit(accuracies, images)
    return {
        name: _percent(float(centre), float(spread))[0]
        for name, centre, spread in zip(posterior.names, posterior.centres, posterior.deviations, strict=True)
    }


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
    gaps = posterior.centres - posterior.centres[leader]
    gaps /= np.hypot(posterior.deviations, posterior.deviations[leader])
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
    expected, uncertainty = _percent(posterior.centres[place], posterior.deviations[place])
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
    return int(posterior.centres.argmax())


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
    prior_mean, between, noise = _numbers(np.array([values[0] for values in scaled]), counts, means, squares, images)
    precision = counts / noise**2 + 1 / between**2
    return _Posterior(
        names=names,
        counts=counts,
        centres=(means * counts / noise**2 + prior_mean / between**2) / precision,
        deviations=precision**-0.5,
        prior_mean=prior_mean,
        noise=noise,
        between=between,
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


def _numbers(
    first: Floats, counts: NDArray[np.int64], means: Floats, squares: Floats, images: int
) -> tuple[float, float, float]:
    """Mean and spread of the networks and the noise of a training, by penalised maximum likelihood."""
    from scipy.optimize import minimize
    from scipy.special import log_ndtr

    binomial = 0.5 / math.sqrt(images)
    if len(first) == 1:
        return float(means[0]), binomial, binomial
    above = min(len(first), max(_FEWEST, (len(first) + 1) // 2))
    cut = np.sort(first)[-above]
    full = first >= cut
    below = int((~full).sum())
    n, centres, within = counts[full], means[full], squares[full]

    def cost(numbers: Floats) -> float:
        centre, between, noise = float(numbers[0]), math.exp(numbers[1]), math.exp(numbers[2])
        spread = noise**2 + n * between**2
        likelihood = -0.5 * float(
            (
                (n - 1) * 2 * math.log(noise)
                + within / noise**2
                + np.log(spread)
                + n * (centres - centre) ** 2 / spread
            ).sum()
        )
        if below:
            likelihood += below * float(log_ndtr((cut - centre) / math.hypot(between, noise)))
        prior = -0.5 * _PRIOR_DEGREES * (2 * math.log(noise) + (binomial / noise) ** 2)
        return -(likelihood + prior + math.log(between))

    visible = max(float(first[full].var()) - binomial**2, (binomial / 4) ** 2)
    start = np.array([first[full].mean(), 0.5 * math.log(visible), math.log(binomial)])
    simplex = np.vstack([start, start + np.diag([binomial, 0.5, 0.5])])
    options = {"initial_simplex": simplex, "xatol": 1e-6, "fatol": 1e-8, "maxiter": 2000, "maxfev": 2000}
    found = minimize(cost, start, method="Nelder-Mead", options=options).x
    return float(found[0]), math.exp(found[1]), math.exp(found[2])


def _best(posterior: _Posterior) -> Floats:
    """For each network the probability that its theta is the highest: one integral, no random numbers."""
    from scipy.special import log_ndtr

    centres, spreads = posterior.centres, posterior.deviations
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
    return posterior.noise**2 / math.hypot(posterior.noise, posterior.between) * highest
