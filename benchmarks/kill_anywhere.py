"""A search that is killed again and again, against the same search left alone: python -m benchmarks.kill_anywhere

Each round is a real search of its own seed, in processes of its own, with pruning and racing, and a checkpoint
every 0.05 s. It runs once to its end, and once under these interruptions, at random moments:

    kill     SIGKILL to the controller (its worker follows by itself)
    tear     the same, and the last record of the journal is cut in the middle, as by a kill inside the write
    worker   SIGKILL to the worker; the controller goes on and is interrupted later
    stop     Ctrl-C (SIGINT) or SIGTERM

Half of the moments are drawn over time, half behind a random number of records of the journal, so that many fall
between two records. Then everything is compared that a search decides or measures, and the weights bit for bit.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from igcnas.search.folder import open_study, trial_folder
from igcnas.search.records import champions, counted, records, repeats
from igcnas.search.settings import StudySettings

KINDS = ("kill", "kill", "kill", "tear", "tear", "worker", "stop", "stop")
_ROOT = Path(__file__).parents[1]
# What a search decides and measures; seconds and memory are of the machine.
_SEARCHED = ("number", "state", "canonical_id", "target", "baseline", "seed", "repeat", "repeat_of", "macs")
_MEASURED = ("params", "measured_macs", "measured_params", "val_accuracy", "curve", "pruned_at", "spared_at")


def search_command(studies: Path, name: str, options: list[str]) -> list[str]:
    """`igcnas search` with frequent checkpoints."""
    module = "benchmarks.frequent_checkpoints"
    return [
        sys.executable, "-m", module, "search", *options, "--study", name, "--studies-dir", str(studies), "--no-export",
    ]  # fmt: skip


def start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """A search in a process group of its own, its output behind that of earlier runs."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)}
    with log.open("ab") as output:
        return subprocess.Popen(
            command, cwd=_ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def fingerprint(folder: Path) -> dict[str, Any]:
    """All of a study that must not depend on interruptions: trainings, their order, parameters, weights, the front."""
    study, settings = open_study(folder), StudySettings.read(folder)
    every = records(study)
    found: dict[str, Any] = {"numbers": [trial.number for trial in study.trials]}
    for record, trial in zip(every, study.trials, strict=True):
        found[f"training {record.number}"] = {name: getattr(record, name) for name in (*_SEARCHED, *_MEASURED)} | {
            "architecture": record.architecture.to_json(),
            "parameters": trial.params,
            "values": trial.values,
            "weights": _digest(trial_folder(folder, record.number) / "weights.safetensors"),
            "files": sorted(path.name for path in trial_folder(folder, record.number).iterdir()),
        }
    found["front"] = [
        (one.record.number, one.accuracies) for one in champions(every, settings.budget, settings.compares)
    ]
    return found


def interrupt(folder: Path, process: subprocess.Popen[bytes], draws: random.Random, longest: float) -> str | None:
    """Wait for a random moment, then do something to the search; what it was, or None if it had ended before."""
    kind = draws.choice(KINDS)
    journal = folder / "journal.log"
    if not _wait(process, journal, draws, longest):
        return None
    if kind == "worker":
        worker = _worker_of(process.pid)
        if worker is None:
            kind = "kill"
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            if not _wait(process, journal, draws, longest):
                return kind
    if kind == "stop":
        process.send_signal(draws.choice((signal.SIGINT, signal.SIGTERM)))
    else:
        process.kill()
    process.wait()
    if kind == "tear" and not _tear(journal, draws):
        kind = "kill"
    return kind


def killed_search(
    studies: Path, name: str, options: list[str], draws: random.Random, *, kills: int, longest: float
) -> Counter[str]:
    """The search under at most so many interruptions, then to its end; how many of each kind there were."""
    command, log = search_command(studies, name, options), studies / f"{name}.log"
    done: Counter[str] = Counter()
    while done.total() < kills:
        with start(command, log) as process:
            try:
                kind = interrupt(studies / name, process, draws, longest)
            finally:
                process.kill()
        if kind is None:
            break
        done[kind] += 1
    whole_search(studies, name, options)
    return done


def whole_search(studies: Path, name: str, options: list[str]) -> float:
    """The search to its end, without interruption; its seconds."""
    begin, log = time.monotonic(), studies / f"{name}.log"
    with start(search_command(studies, name, options), log) as process:
        if process.wait() != 0:
            raise RuntimeError(
                f"the search ended with status {process.returncode}:\n{log.read_text(encoding='utf-8')[-3000:]}"
            )
    return time.monotonic() - begin


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What differs between two fingerprints, by name."""
    return [
        f"{key}: {one.get(key)} -> {other.get(key)}"
        for key in sorted(one.keys() | other.keys())
        if one.get(key) != other.get(key)
    ]


def _wait(process: subprocess.Popen[bytes], journal: Path, draws: random.Random, longest: float) -> bool:
    """Wait for a random moment; whether the search still runs then."""
    seconds, growth = draws.uniform(0, longest), 0
    if draws.random() < 0.5:  # behind some records of the journal, then a little
        growth, seconds = int(150 * draws.randint(1, 40)), draws.uniform(0, 0.02)
    end = (journal.stat().st_size if journal.exists() else 0) + growth
    while growth and process.poll() is None and (journal.stat().st_size if journal.exists() else 0) < end:
        time.sleep(0.001)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is None


def _worker_of(pid: int) -> int | None:
    """The process of the controller that trains, if there is one (Linux)."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        name = b"igcnas.search.worker.process"
        return next((int(c) for c in children if name in Path(f"/proc/{c}/cmdline").read_bytes()), None)
    except OSError:
        return None


def _tear(journal: Path, draws: random.Random) -> bool:
    """Leave only a part of the last record, as a kill inside its write would."""
    content = journal.read_bytes() if journal.exists() else b""
    begin = content.rstrip(b"\n").rfind(b"\n") + 1
    if begin == 0 or len(content) - begin < 3:
        return False
    with journal.open("r+b") as file:
        file.truncate(draws.randrange(begin + 1, len(content)))
    return True


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def main() -> int:
    """Rounds until there were enough interruptions; a line for each, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="interruptions in all (default: 50)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the moments and of the first search")
    parser.add_argument("--networks", type=int, default=14, metavar="N", help="of each search (default: 14)")
    parser.add_argument("--epochs", type=int, default=6, metavar="N", help="of each training (default: 6)")
    parser.add_argument("--budget-mflops", default="0.1", metavar="N", help="of each search (default: 0.1)")
    arguments = parser.parse_args()
    draws, kinds, compared, wrong = random.Random(arguments.seed), Counter[str](), Counter[str](), 0
    print("| seed of the search | interruptions | trainings | pruned | repeats | seconds alone | different |")
    print("|---|---|---|---|---|---|---|")
    seed = arguments.seed
    with tempfile.TemporaryDirectory() as folder:
        studies = Path(folder)
        while kinds.total() < arguments.kills:
            options = (
                f"--budget-mflops {arguments.budget_mflops} --networks {arguments.networks} "
                f"--epochs {arguments.epochs} --pruner halving --min-epochs 1 --seeds 3 --repeats 5 --seed {seed} "
                "--workers 1"
            ).split()
            alone = whole_search(studies, f"alone-{seed}", options)
            left = arguments.kills - kinds.total()
            done = killed_search(studies, f"killed-{seed}", options, draws, kills=left, longest=alone / 6)
            found = differences(fingerprint(studies / f"alone-{seed}"), fingerprint(studies / f"killed-{seed}"))
            every = records(open_study(studies / f"killed-{seed}"))
            kinds += done
            wrong += len(found)
            numbers = {
                "trainings": len(every),
                "pruned": sum(record.state == "pruned" for record in every),
                "repeats": len(repeats(every)),
            }
            compared += Counter(numbers | {"networks": counted(every)})
            cells = [seed, done.total(), *numbers.values(), f"{alone:.0f}", len(found)]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
            for line in found:
                print(f"different: {line}")
            seed += 1
    total = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    print(
        f"\n{kinds.total()} interruptions ({total}); compared {compared['trainings']} trainings, of them "
        f"{compared['pruned']} pruned and {compared['repeats']} repeats: {wrong} differences"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
