"""What is changed, and the test files that answer for it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
_PROPOSALS = ("proposals", "samplers", "mirror", "gaussian")
_LEARNED = ("lowering", "flgc", "dgconv", "condensing", "dgc", "msgc", "gated_costs")

PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "racing": (("igcnas/statistics/racing.py",), ("racing", "racing_model")),
    "statistics": (("igcnas/statistics/intervals.py",), ("statistics",)),
    "canonical": (("igcnas/network/canonical.py",), ("canonical",)),
    "lowering": (("igcnas/modules/lowering/*.py", "igcnas/modules/replacement.py"), _LEARNED),
    "proposals": (
        ("igcnas/search/proposals/*.py", "igcnas/search/proposals/samplers/*.py"),
        ("proposals", "samplers", "mirror", "gaussian"),
    ),
    "storage": (("igcnas/search/storage.py",), ("storage", "damaged_journal")),
}


def modules(part: str, root: Path) -> list[str]:
    """Its modules in this copy of the repository, as 'igcnas/search/storage.py'."""
    return [path.relative_to(root).as_posix() for pattern in PARTS[part][0] for path in sorted(root.glob(pattern))]


def test_files(part: str) -> list[str]:
    """Its test files, as 'tests/test_storage.py'."""
    return [f"tests/test_{name}.py" for name in PARTS[part][1]]
