"""A report as one HTML page that needs nothing else: no network, no other file, and without JavaScript no JavaScript.

render: a Report to the text of the page. page.html is the template, page.css its look, page.js what moves. The server
side draws and words everything; the script only shows, hides and puts in order. scales, chart, curves: numbers to
places, which tests check; networks: numbers to words; pictures: each distinct one once.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from igcnas.results.report.content import Report, Section
from igcnas.results.report.page.chart import Point, compute_chart
from igcnas.results.report.page.curves import CurveAxes
from igcnas.results.report.page.networks import best, shown, table, tip, title
from igcnas.results.report.page.pictures import Library, data_uri
from igcnas.results.report.words import measured
from igcnas.system import harmless

__all__ = ["render"]

# Characters that no HTML text may hold; whoever put them into a name did not mean them.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]")
_PRINTED_ROWS = 100  # longer tables of networks are printed without those that are neither known nor on the front


@dataclass(frozen=True, slots=True, kw_only=True)
class _Anchored:
    """A section and the id that links to it, which no other part of the page has."""

    id: str
    section: Section


def render(report: Report) -> str:
    """The whole page."""
    chart, axes, library = compute_chart(report), CurveAxes.of(report.networks), Library()
    networks = [_allowed(shown(network, report, axes, library)) for network in report.networks]
    for network in networks:
        network["facts"] = [[measured(name, report.measure), value] for name, value in network["facts"]]
    chosen = best(report)
    columns, rows = table(report.networks)
    data = {"networks": networks, "pictures": library.packed(), "chosen": chosen.number if chosen else None}
    script = _part("page.js")
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            sections=_anchored(report.sections),
            chart=chart,
            axes=axes,
            chosen=next((network for network in networks if chosen and network["number"] == chosen.number), None),
            pictures=[Markup(svg) for svg in library.pictures],
            columns=[(measured(heading, report.measure), number) for heading, number in columns],
            rows=rows,
            numbers={str(network.number) for network in report.networks},
            long=len(report.networks) > _PRINTED_ROWS,
            data=data,
            measured=lambda text: measured(text, report.measure),
            css=Markup(_part("page.css")),
            script=Markup(script),
            # The page may run this script and no other, whatever came into it by a name, and may load nothing.
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("igcnas.results.report.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_allowed,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}
    environment.globals |= {"tip": _tip, "title": title, "data_uri": data_uri, "zip": zip}
    return environment


def _tip(point: Point) -> str:
    return "\n".join(line for line in tip(point.network) if line)


def _allowed(value: Any) -> Any:
    """Text, also within lists and dictionaries, with every character that a reader cannot see as its escape."""
    if isinstance(value, Markup):  # our own
        return Markup(_FORBIDDEN.sub("", value))
    if isinstance(value, str):
        return harmless.lines(value)
    if isinstance(value, list):
        return [_allowed(each) for each in value]
    if isinstance(value, dict):
        return {key: _allowed(each) for key, each in value.items()}
    return value


def _part(name: str) -> str:
    return files("igcnas.results.report.page").joinpath(name).read_text(encoding="utf-8")


def _anchored(sections: Iterable[Section]) -> list[_Anchored]:
    found: dict[str, _Anchored] = {}
    for section in sections:
        words = "s-" + re.sub(r"[^a-z0-9]+", "-", section.key.lower()).strip("-")
        identity, number = words, 2
        while identity in found:
            identity, number = f"{words}-{number}", number + 1
        found[identity] = _Anchored(id=identity, section=section)
    return list(found.values())
