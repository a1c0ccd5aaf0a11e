"""Does the search beat random search? Real searches on the digits, in pairs of one seed and as many networks.

python -m benchmarks.against_random --repeats 10 --networks 60 --workers 2 --work against-work --out benchmarks/results

Both arms are `igcnas search` with its default settings and differ in --sampler alone: the same baselines first,
the same budget handling, the same repeats of the best, the same validation split in a pair. Compared are the test
accuracy of the network that each search exports, read once, and the hypervolume of its networks at their mean
validation accuracy. Studies resume, so that the benchmark can be stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.summary import header, mean
from igcnas.statistics.pareto import hypervolume
from igcnas.statistics.permutation import sign_flip

RANDOM = "random"
REFERENCE_ACCURACY = 80.0
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
MEASURES = {
    "test": ("test accuracy of the exported network, %", 2),
    "validation": ("its validation accuracy, %", 2),
    "hypervolume": ("hypervolume of all networks", 3),
    "training_seconds": ("seconds of training", 0),
}


def search(work: Path, sampler: str, seed: int, networks: int, budget_mflops: float) -> dict[str, Any]:
    """One search, in a process of its own; what it found."""
    name = f"{sampler}-{networks}-{budget_mflops:g}-{seed}"
    result = work / f"{name}.json"
    if result.exists():
        return dict(json.loads(result.read_text(encoding="utf-8")))
    words = ["--budget-mflops", f"{budget_mflops:g}", "--data", "digits", "--networks", str(networks)]
    words += ["--sampler", sampler, "--seed", str(seed), "--device", "cpu"]
    _igcnas("search", *words, "--workers", "1", "--studies-dir", str(work), "--study", name)
    exported = _igcnas("evaluate", str(work / name / "best"), "--data", "digits", "--split", "test", "--json")
    test = json.loads(exported.splitlines()[-1])["test"]["top1"]
    found = {"sampler": sampler, "seed": seed, "test": test} | read_study(work / name, round(budget_mflops * 1e6))
    result.write_text(json.dumps(found) + "\n", encoding="utf-8")
    return found


def read_study(folder: Path, budget: int) -> dict[str, Any]:
    """Best mean validation accuracy, hypervolume at means, trainings, and their seconds."""
    from igcnas.search.folder import open_study
    from igcnas.search.records import records

    ended = [record for record in records(open_study(folder)) if record.val_accuracy is not None]
    complete = [record for record in ended if record.state == "complete" and record.final_macs <= budget]
    by_network: dict[str, list[Any]] = {}
    for record in complete:
        by_network.setdefault(record.architecture.id, []).append(record)
    means = [mean([record.val_accuracy for record in some]).value for some in by_network.values()]
    macs = [some[0].final_macs for some in by_network.values()]
    return {
        "validation": max(means),
        "hypervolume": hypervolume(macs, means, reference_macs=2 * budget, reference_accuracy=REFERENCE_ACCURACY),
        "networks": len(by_network),
        "trainings": len(ended),
        "training_seconds": sum(record.seconds or 0.0 for record in ended),
    }


def _igcnas(*words: str) -> str:
    environment = os.environ | _ONE_THREAD
    done = subprocess.run(
        [sys.executable, "-m", "igcnas", *words], env=environment, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SystemExit(f"igcnas {' '.join(words)} ended with status {done.returncode}: {last}")
    return done.stdout


def page(sampler: str, pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> str:
    """The table of pairs, the differences, and what they allow to say."""
    lines = ["| seed | " + " | ".join(f"{key}: {sampler}, random" for key in MEASURES) + " |"]
    lines.append("|---|" + "---|" * len(MEASURES))
    for ours, theirs in pairs:
        cells = [f"{ours[key]:.{digits}f}, {theirs[key]:.{digits}f}" for key, (_, digits) in MEASURES.items()]
        lines.append(f"| {ours['seed']} | {' | '.join(cells)} |")
    lines += ["", f"| | {sampler} | random | difference (standard error) | p |", "|---|---|---|---|---|"]
    verdicts = []
    for key, (title, digits) in MEASURES.items():
        differences = [ours[key] - theirs[key] for ours, theirs in pairs]
        p = sign_flip(differences)
        both = " | ".join(mean([row[key] for row in arm]).text(digits) for arm in zip(*pairs, strict=True))
        lines.append(f"| {title} | {both} | {mean(differences).text(digits, sign=True)} | {p:.3f} |")
        if key in ("test", "hypervolume"):
            verdicts.append(f"{title.split(',')[0]}: {_verdict(differences, p)}")
    return "\n".join([*lines, "", *verdicts]) + "\n"


def _verdict(differences: Sequence[float], p: float) -> str:
    """Two measures are looked at, so p is doubled (Bonferroni)."""
    n = len(differences)
    doubled = f"p {p:.3f}, for two measures {min(1.0, 2 * p):.3f}"
    if 2 * p > 0.05:
        return f"no difference that {n} pairs can show ({doubled})."
    which = "the search is better" if sum(differences) > 0 else "random search is better"
    return f"{which} ({doubled}, {n} pairs)."


def main() -> None:
    """Run what is missing, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10, help="pairs of searches, at most 16 (default: 10)")
    parser.add_argument("--networks", type=int, default=60, help="of each search (default: 60)")
    parser.add_argument("--budget-mflops", type=float, default=0.2, help="as of igcnas search (default: 0.2)")
    parser.add_argument("--sampler", default="auto", help="beside random (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="searches at a time (default: 1)")
    parser.add_argument("--work", type=Path, required=True, help="folder for the studies")
    parser.add_argument("--out", type=Path, help="folder for against-random.md (default: print it only)")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(arguments.workers) as pool:
        pending = [
            [
                pool.submit(search, arguments.work, sampler, seed, arguments.networks, arguments.budget_mflops)
                for sampler in (arguments.sampler, RANDOM)
            ]
            for seed in range(arguments.repeats)
        ]
        pairs = [(ours.result(), theirs.result()) for ours, theirs in pending]
    text = page(arguments.sampler, pairs)
    if arguments.out is not None:
        how = (
            f"{arguments.networks} networks a search, {arguments.budget_mflops:g} MFLOPs. p is two-sided, of all "
            "changes of sign of the differences (exact). Hypervolume is above 80 % and below twice the budget, in "
            "points times octaves of MACs, at validation accuracies: it is what a search believes. Seconds were "
            "taken with other work on the machine: they show that the cost is alike, no more.\n"
        )
        title = "# The search against a random search of equal cost\n\n"
        whole = f"{title}{header('benchmarks.against_random')}\n{how}\n{text}"
        (arguments.out / "against-random.md").write_text(whole, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
