"""The ids of networks in studies and exports that users have: they stay what they are.

tests/data/ids.csv: every published network that is compared with its paper, and random ones of every search space, as
they were identified before a kind of grouping answered for itself. network: words of `igcnas count`, or JSON in which
values that are defaults are left out.
"""

from __future__ import annotations

import csv
from pathlib import Path

from igcnas.network.architecture import Architecture
from igcnas.network.canonical import canonical_id
from igcnas.network.cost import count
from igcnas.network.literature import FAMILIES

TABLE = Path(__file__).parent / "data" / "ids.csv"


def known() -> list[dict[str, str]]:
    with open(TABLE, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def network(text: str) -> Architecture:
    if text.startswith("{"):
        return Architecture.from_json(text)
    name, *words = text.split()
    return FAMILIES[name].from_text(words)


def test_networks_keep_their_ids_and_their_counts():
    wrong = []
    for row in known():
        one = network(row["network"])
        found = {"id": one.id, "canonical": canonical_id(one), "macs": str(count(one).macs)}
        wrong += [(row["network"], name, value, row[name]) for name, value in found.items() if value != row[name]]
    assert wrong == []


KINDS = ("dense", "group", "interleaved", "product", "flgc", "dgconv", "condensing", "msgc", "dgc")


def test_the_table_has_every_published_family_and_every_kind_of_its_time():
    texts = [row["network"] for row in known()]
    assert {text.split()[0] for text in texts if not text.startswith("{")} <= set(FAMILIES)
    drawn = "".join(text for text in texts if text.startswith("{"))
    assert [kind for kind in KINDS if f'"kind":"{kind}"' not in drawn] == []
    assert len(texts) == len(set(texts)) > 380
