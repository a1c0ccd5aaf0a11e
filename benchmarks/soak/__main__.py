"""Searches under faults: python -m benchmarks.soak --faults 500 --folder DIR

Each round is a real search of its own seed on the digits, with pruning and repeats and a checkpoint every 0.05 s. It
runs once alone and once under faults at random moments, over a journal, a PostgreSQL server, and a Ray cluster in turn.
Then all must hold that must (comparing.py), and with one worker, in two rounds of three, the study must equal the other
to the bit. Rounds are kept in DIR/rounds.jsonl; the same command goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.soak.rounds import Round, keep, kept, options, run_round
from benchmarks.soak.scene import STORAGES, Server
from igcnas.results.table import Column, Table

_ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def served(wanted: bool) -> Iterator[Server | None]:
    """A PostgreSQL server of its own, where one is wanted and installed."""
    sys.path.insert(0, str(_ROOT / "tests"))
    from support.postgres import Postgres, programs  # type: ignore[import-not-found]

    if not wanted or programs() is None:
        yield None
        return
    server = Postgres()
    try:
        yield server
    finally:
        server.close()


def page(rounds: list[Round]) -> str:
    """Faults by kind and storage, and the sums."""
    kinds = sorted({kind for one in rounds for kind in one.done})
    of = {storage: [one for one in rounds if one.storage == storage] for storage in STORAGES}
    counts = {storage: sum((Counter(one.done) for one in found), Counter()) for storage, found in of.items()}
    rows = [(kind.replace("_", " "), *(counts[storage][kind] for storage in STORAGES)) for kind in kinds]
    rows += [
        ("all faults", *(sum(counts[s].values()) for s in STORAGES)),
        ("searches", *(len(of[s]) for s in STORAGES)),
        ("of them compared with one left alone", *(sum(one.workers == 1 for one in of[s]) for s in STORAGES)),
        ("trainings", *(sum(one.trainings for one in of[s]) for s in STORAGES)),
        ("found different or broken", *(sum(len(one.found) for one in of[s]) for s in STORAGES)),
    ]
    columns = [Column.words("fault"), *(Column.numbers(storage, say="d") for storage in STORAGES)]
    return Table(columns=tuple(columns), rows=tuple(rows)).markdown()


def main() -> int:
    """Rounds until there were enough faults; status 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=500, metavar="N", help="in all (default: 500)")
    parser.add_argument("--storage", nargs="+", choices=STORAGES, default=list(STORAGES))
    parser.add_argument("--minutes", type=float, default=240.0, help="no round begins later (default: 240)")
    parser.add_argument("--seed", type=int, default=0, help="of the first round (default: 0)")
    parser.add_argument("--networks", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--budget-mflops", default="0.06")
    parser.add_argument("--each", type=int, default=20, metavar="N", help="most faults of a round (default: 20)")
    parser.add_argument("--folder", type=Path, required=True, help="of studies and results; the same one goes on")
    arguments = parser.parse_args()
    file, end = arguments.folder / "rounds.jsonl", time.monotonic() + 60 * arguments.minutes
    arguments.folder.mkdir(parents=True, exist_ok=True)
    rounds = kept(file)
    with served("postgresql" in arguments.storage) as server:
        storages = [one for one in arguments.storage if one != "postgresql" or server is not None]
        while sum(one.faults for one in rounds) < arguments.faults and time.monotonic() < end:
            number = len(rounds)
            storage, seed = storages[number % len(storages)], arguments.seed + number
            workers = 2 if number // len(storages) % 3 == 2 else 1
            size = {"networks": arguments.networks, "epochs": arguments.epochs, "budget": arguments.budget_mflops}
            words = options(storage, seed, workers, **size)
            one = run_round(
                arguments.folder,
                storage,
                words,
                seed=seed,
                workers=workers,
                networks=arguments.networks,
                most=arguments.each,
                server=server,
            )
            keep(file, one)
            rounds.append(one)
            print(f"{storage} {seed}: {one.faults} faults, {one.trainings} trainings, {one.seconds:.0f} s", flush=True)
            for line in one.found:
                print(f"found: {line}", flush=True)
    print(f"\n{page(rounds)}")
    return 1 if any(one.found for one in rounds) else 0


if __name__ == "__main__":
    sys.exit(main())
