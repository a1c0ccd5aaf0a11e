"""Show that a change of the code changed nothing that a user has.

    python -m benchmarks.unchanged --root ../before --out before.json --keep kept
    python -m benchmarks.unchanged --out after.json
    python -m benchmarks.unchanged compare before.json after.json

It runs small searches, trainings, retrainings, an audit, exports, tables and pictures by the command line of a
tree, one after the other, each with a fixed seed in one thread, and writes what they hold: ids, numbers, settings and
records of each trial, weights, exported files, tables. Left out are times, memory, dates and versions
(files.LEFT_OUT, LEFT_OUT_FILES). With --again it goes on in a copy of a folder that --keep kept, to show that studies
and trainings of an older version open, and go on with --networks N as they would have.

`compare` prints what differs. Exit status 1 where anything does, or where a command that was measured failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.unchanged.difference import differences
from benchmarks.unchanged.reading import measure

_NETWORKS = 9


def main() -> int:
    """Measure, or compare."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.unchanged",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="compare")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="where the facts are written")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[2], help="tree (default: this one)")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter (default: this one)")
    parser.add_argument("--networks", type=int, default=_NETWORKS, help=f"of one search (default: {_NETWORKS})")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy the studies and trainings there")
    parser.add_argument("--again", type=Path, metavar="FOLDER", help="go on in a copy of what --keep kept")
    comparing = commands.add_parser("compare", help="two of these files; no command: measure")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--except-words", action="store_true", help="texts and pictures may differ")
    arguments = parser.parse_args()
    if arguments.command == "compare":
        return _compare(arguments)
    if arguments.out is None:
        parser.error("--out FILE.json says where the facts are written; or compare two such files")
    return _measure(arguments)


def _measure(arguments: argparse.Namespace) -> int:
    facts = measure(
        root=arguments.root.resolve(),
        python=arguments.python.absolute(),  # not resolved: the link of a virtual environment is its name
        networks=arguments.networks,
        again=arguments.again,
        keep=arguments.keep,
    )
    arguments.out.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    failed = [key for key, value in facts.items() if key.endswith(": exit status") and value != "0"]
    print(f"{len(facts)} facts in {arguments.out}; {len(failed)} commands failed")
    return 1 if failed else 0


def _compare(arguments: argparse.Namespace) -> int:
    before, after = (json.loads(path.read_text(encoding="utf-8")) for path in (arguments.before, arguments.after))
    found = differences(before, after, words=not arguments.except_words)
    print("\n".join([*found, f"{len(found)} of {len(before.keys() | after.keys())} facts differ"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
