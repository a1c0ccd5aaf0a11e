"""How far importance from few networks agrees with that from all 1,232 of the table.

python -m benchmarks.importance                      # minutes; prints the page, draws importance-digits.png

From the table, errors of all networks are known. Some networks, drawn at random, stand for a small search; the page
says how often their importances rank the choices, and their effects have the signs, as all networks together have.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
from scipy.stats import spearmanr

from benchmarks import table
from igcnas.results.importance import EVALUATORS, Report, Sample, analyse
from igcnas.results.importance.effects import additive
from igcnas.results.importance.evaluators import importances
from igcnas.results.importance.figure import save_importance
from igcnas.results.importance.names import label, value_label
from igcnas.results.importance.samples import better_than_equals
from igcnas.search.proposals.reference import log_errors

NAMES = ("block", "depth1", "depth2", "growth", "head_ratio")
RESULTS = Path(__file__).parent / "results"


def samples_of(known: table.Table) -> list[Sample]:
    """Every network of the table, its log errors the mean over its seeds."""
    found = []
    for name, choice in table.choices().items():
        row = known.rows[name]
        logs = [log_errors(known.accuracy(name, seed), known.validation_images) for seed in range(len(row.curves))]
        found.append(Sample(parameters=choice.parameters, macs=row.macs, log_errors=sum(logs) / len(logs)))
    return found


def raw(samples: Sequence[Sample], evaluator: str) -> list[float]:
    """Importances of the common choices."""
    choices = [sample.parameters for sample in samples]
    numbers = importances(choices, list(better_than_equals(samples)), NAMES, evaluator=evaluator, seed=0)
    return [numbers[name] for name in NAMES]


def effects(samples: Sequence[Sample]) -> dict[str, dict[object, float]]:
    """Effects of the common choices."""
    macs = np.array([sample.macs for sample in samples], dtype=float)
    found, _ = additive([sample.parameters for sample in samples], macs, better_than_equals(samples), NAMES)
    return found


def agreement(every: Sequence[Sample], *, size: int, draws: int, seed: int) -> list[str]:
    """Lines of the page: importances, then effects, of `draws` random subsets against all."""
    rng = random.Random(seed)
    subsets = [rng.sample(list(every), size) for _ in range(draws)]
    lines = [
        f"| evaluator | Spearman correlation with all {len(every)}, mean (standard error) | same first choice |",
        "|---|---|---|",
    ]
    for evaluator in EVALUATORS:
        truth = raw(every, evaluator)
        found = [raw(subset, evaluator) for subset in subsets]
        ranks = np.array([spearmanr(truth, one).statistic for one in found])
        first = sum(int(np.argmax(one)) == int(np.argmax(truth)) for one in found)
        error = ranks.std(ddof=1) / len(ranks) ** 0.5
        lines.append(f"| {evaluator} | {ranks.mean():.2f} ({error:.2f}) | {first} of {draws} |")
    whole = effects(every)
    several = [effects(subset) for subset in subsets]
    lines += ["", f"| value | effect among all (log errors, + is better) | same sign, of {draws} |", "|---|---|---|"]
    for name in NAMES:
        for value, effect in whole[name].items():
            there = [one[name][value] for one in several if value in one[name]]
            same = sum((number > 0) == (effect > 0) for number in there)
            missing = f" ({draws - len(there)} without it)" if len(there) < draws else ""
            lines.append(f"| {label(name)}: {value_label(name, value)} | {effect:+.3f} | {same}{missing} |")
    return lines


def report_lines(report: Report) -> list[str]:
    """Importances of all choices as a table of the page."""
    lines = [
        "| choice | share of importance (95 %) | by chance | values, percent fewer errors (95 %) |",
        "|---|---|---|---|",
    ]
    for choice in report.choices:
        values = "; ".join(
            f"{e.value}: {e.fewer_percent:+.0f} ({e.low:+.0f} to {e.high:+.0f}), n = {e.n}" for e in choice.effects
        )
        where = choice.scope or "all"
        share = f"{choice.share:.2f} ({choice.low:.2f} to {choice.high:.2f})"
        lines.append(f"| {where}: {choice.label} | {share} | {choice.chance:.2f} | {values} |")
    return lines


def main() -> None:
    """Print the tables and draw the picture of all networks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=60, help="networks of a small search (default: %(default)s)")
    parser.add_argument("--draws", type=int, default=30, help="small searches (default: %(default)s)")
    parser.add_argument("--resamplings", type=int, default=100, help="for intervals (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS / "importance-digits.png", help="the picture")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    every = samples_of(table.read())
    show(every, size=arguments.size, draws=arguments.draws, resamplings=arguments.resamplings, out=arguments.out)


def show(every: Sequence[Sample], *, size: int, draws: int, resamplings: int, out: Path) -> None:
    """Print the tables for these networks and draw the picture."""
    print("\n".join(agreement(every, size=size, draws=draws, seed=0)), flush=True)
    report = analyse(every, resamplings=resamplings, judged=20)
    print("\n" + "\n".join(report_lines(report)), flush=True)
    save_importance(out, report, title=f"What matters among all {report.n} networks of the table, on digits")


if __name__ == "__main__":
    main()
