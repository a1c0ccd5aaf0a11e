"""The page of a report: numbers at their places, text unharmed, and all that moves, in a real headless Chromium."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import architectures
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.chromium import browser, executable
from benchmarks.made_report import made, report_of
from igcnas.drawing.thumbnails import block_svg
from igcnas.errors import ArchitectureError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.grouping import Dense
from igcnas.results.report.content import NetworkFacts, Picture, Report, Section
from igcnas.results.report.page import pictures, render
from igcnas.results.report.page.chart import compute_chart
from igcnas.results.report.page.curves import CurveAxes
from igcnas.results.report.page.names import HEIGHT, WIDTH, Name, place_names
from igcnas.results.report.page.networks import COLUMNS, best, table, tip, title
from igcnas.results.report.page.pictures import Library
from igcnas.results.report.page.scales import AccuracyScale, LogScale
from igcnas.results.table import Column, Table
from igcnas.system import harmless
from igcnas.units import mega

pytestmark = pytest.mark.usefixtures("forked_workers")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
REPORT = made(40, space="all")
SMALL = made(8)
VOID = {"meta", "link", "br", "img", "input", "hr"}


def network(report: Report, number: int) -> NetworkFacts:
    return next(n for n in report.networks if n.number == number)


BEST = best(REPORT)
assert BEST is not None


# Numbers at their places


def test_points_stand_in_the_order_of_their_costs_and_accuracies():
    chart = compute_chart(REPORT)
    assert chart is not None
    points = chart.points
    assert {p.network.number for p in points} == {n.number for n in REPORT.networks}
    for a, b in itertools.combinations(points, 2):
        assert (a.network.cost < b.network.cost) == (a.x < b.x)
        assert (a.network.accuracy < b.network.accuracy) == (a.y > b.y)
    assert all(0 < p.x < 100 and 0 < p.y < 100 for p in points)


def test_a_baseline_that_stands_twice_has_its_cost_beside_its_name():
    trained = [n for n in REPORT.networks if n.state == "complete"][:3]
    names = {one.number: name for one, name in zip(trained, ("ResNet-20", "ResNet-20", "IGCV1"), strict=True)}
    networks = [
        dataclasses.replace(n, kind="baseline", name=names[n.number]) if n.number in names else n
        for n in REPORT.networks
    ]
    report = dataclasses.replace(REPORT, networks=tuple(networks))
    chart = compute_chart(report)
    assert chart is not None
    texts = {p.network.number: p.text for p in chart.points if p.text}
    costs = [f"ResNet-20, {mega(one.macs)} MFLOPs" for one in trained[:2]]
    assert [texts[one.number] for one in trained] == [*costs, "IGCV1"]
    page = render(report)
    assert all(f">{text}</text>" in page for text in texts.values())


def test_the_line_of_the_front_steps_through_its_networks_and_ends_at_the_budget():
    chart = compute_chart(REPORT)
    assert chart is not None
    assert chart.budget is not None
    front = sorted((p for p in chart.points if p.network.on_front), key=lambda p: p.x)
    numbers = [float(number) for number in re.findall(r"[\d.]+", chart.line)]
    corners = list(zip(numbers[:-1:2], numbers[1::2], strict=True))
    assert corners == [(round(10 * p.x), round(10 * p.y)) for p in front]
    assert numbers[-1] == round(10 * chart.budget)
    assert all(p.bar is not None and 0 < p.bar[0] < p.y < p.bar[1] < 100 for p in front)


@given(st.floats(1e-6, 1e9), st.floats(1.0, 1e9))
def test_a_log_axis_holds_its_values_and_its_ticks_stand_apart(low: float, ratio: float):
    scale = LogScale.around([low, low * ratio])
    assert 0 < scale.share(low) <= scale.share(low * ratio) < 1
    assert scale.share(low) == pytest.approx(1 - scale.share(low * ratio))
    shares = [tick.share for tick in scale.ticks()]
    assert 1 <= len(shares) <= 10
    assert all(after - before >= 0.1 for before, after in itertools.pairwise(shares))
    assert all(scale.share(float(tick.text)) == pytest.approx(tick.share, abs=1e-3) for tick in scale.ticks())


@given(st.lists(st.floats(0, 100), min_size=1))
def test_an_accuracy_axis_holds_every_accuracy(accuracies: list[float]):
    scale = AccuracyScale.around(accuracies)
    assert all(0 <= scale.share(accuracy) <= 1 for accuracy in accuracies)


def test_a_network_whose_cost_was_never_measured_is_in_the_table_alone():
    networks = [dataclasses.replace(SMALL.networks[0], cost=math.nan), *SMALL.networks[1:]]
    report = dataclasses.replace(SMALL, networks=tuple(networks))
    chart = compute_chart(report)
    assert chart is not None
    assert SMALL.networks[0].number not in {p.network.number for p in chart.points}
    assert 'id="network-0"' in render(report)


def test_curves_end_where_their_last_accuracy_stands_and_keep_both_ends_when_thinned():
    axes = CurveAxes.of(REPORT.networks)
    assert axes is not None
    long = tuple((epoch, 2.0 / epoch, 50.0 + epoch / 20) for epoch in range(1, 801))
    wide = CurveAxes.of([dataclasses.replace(REPORT.networks[0], curves=(long,))])
    assert wide is not None
    for own, curve in ((axes, REPORT.networks[0].curves[0]), (wide, long)):
        points = [tuple(map(float, each.split())) for each in re.split("[ML]", own.accuracy_path(curve))[1:]]
        assert points[0] == (0, round(1000 - 1000 * own.accuracies.share(curve[0][2])))
        assert points[-1] == (1000, round(1000 - 1000 * own.accuracies.share(curve[-1][2])))
        assert len(points) == min(160, len(curve))


def test_a_loss_that_ran_away_is_cut_off_and_the_page_says_so():
    mad = dataclasses.replace(SMALL.networks[0], curves=(((1, 2.3, 10.0), (2, 1e9, 10.0), (3, math.nan, 10.0)),))
    report = dataclasses.replace(SMALL, networks=(mad, *SMALL.networks[1:]))
    axes = CurveAxes.of(report.networks)
    assert axes is not None
    assert axes.cut
    assert axes.losses.high < 20
    assert "nan" not in axes.loss_path(mad.curves[0])
    assert "cut off where it ran away" in render(report)


def test_names_keep_off_marks_and_each_other_and_inside_the_plot():
    named = [
        ("IGC-LxM2 D20", 99.0, 60.0),
        ("MobileNetV2", 99.0, 60.5),
        ("ResNet-20", 1.0, 2.0),
        ("IGCV3-D", 50.0, 50.0),
    ]
    places = place_names(named, [(54.0, 50.0), *((x, y) for _, x, y in named)])
    boxes = [box(text, x, y, place) for (text, x, y), place in zip(named, places, strict=True)]
    for left, top, right, bottom in boxes:
        assert left > 0 <= top
        assert right < WIDTH
        assert bottom < HEIGHT
    for (l1, t1, r1, b1), (l2, t2, r2, b2) in itertools.combinations(boxes, 2):
        assert r1 <= l2 or r2 <= l1 or b1 <= t2 or b2 <= t1
    assert places[3].anchor != "start"


def test_no_name_leaves_the_plot_of_a_phone_however_crowded_it_is():
    crowd = [(x + 0.5, y + 0.5) for x in range(100) for y in range(100)]
    (place,) = place_names([("IGC-LxM2 D20", 95.0, 50.0)], crowd)
    assert place.anchor == "end"


def box(text: str, x: float, y: float, place: Name) -> tuple[float, float, float, float]:
    length = 6.7 * len(text)
    left = x * WIDTH / 100 + place.dx - {"start": 0, "middle": 0.5, "end": 1}[place.anchor] * length
    return left, y * HEIGHT / 100 + place.dy - 10, left + length, y * HEIGHT / 100 + place.dy + 4


def test_the_best_is_the_most_accurate_of_the_front_even_if_another_is_more_accurate():
    over = dataclasses.replace(SMALL.networks[1], accuracy=99.99, on_front=False, over_budget=True)
    chosen = best(dataclasses.replace(SMALL, networks=(over, *SMALL.networks)))
    assert chosen is not None
    assert chosen.on_front
    assert best(dataclasses.replace(SMALL, networks=())) is None


def test_what_the_verdict_puts_first_is_shown_first_even_if_another_is_more_accurate():
    worst = min(SMALL.networks, key=lambda network: network.accuracy)
    assert best(dataclasses.replace(SMALL, first=worst.number)) == worst


def test_a_picture_that_networks_share_is_in_the_page_once():
    library, one = Library(), SMALL.networks[0].architecture
    assert len({(stage.block, stage.width) for stage in one.stages}) == len(one.stages)
    assert library.blocks(one) == library.blocks(one) == list(range(len(one.stages)))
    assert library.strip(one) == len(one.stages)
    assert len(library.pictures) == len(one.stages) + 1
    assert all(picture.startswith("<svg") for picture in library.pictures)


def test_stages_with_the_same_block_share_its_picture_and_say_so():
    one = Architecture(
        family="resnet",
        input_shape=(1, 8, 8),
        num_classes=3,
        stem_channels=8,
        stages=tuple(
            Stage(block=BasicBlock(grouping=Dense()), width=width, repeats=repeats, stride=stride)
            for width, repeats, stride in ((8, 2, 1), (16, 2, 2), (16, 3, 2), (16, 1, 1), (16, 1, 2))
        ),
    )
    library = Library()
    assert library.blocks(one) == [0, 1, "Stages 3 and 4 have the same block as stage 2.", 2]
    assert "8 channels" in library.pictures[0]
    assert "16 channels" in library.pictures[1]


@given(architecture=architectures(learned=True))
def test_stages_that_share_a_picture_have_the_same_one_but_for_the_size_of_their_maps(architecture: Architecture):
    def drawn(stage: int) -> str:
        svg = block_svg(architecture, stage=stage - 1)
        return re.sub(r"Block \d+ of \d+ in stage \d+ of \d+|\d+x\d+\.", "", svg)

    library = Library()
    shown = library.blocks(architecture)
    for place, words in zip(shown, [*shown[1:], 0], strict=True):
        if isinstance(place, int) and isinstance(words, str):
            first = int(words.rpartition("stage ")[2].rstrip("."))
            for other in map(int, re.findall(r"\d+", words.partition(" ha")[0])):
                assert drawn(other) == drawn(first)
    named = [int(n) for words in shown if isinstance(words, str) for n in re.findall(r"\d+", words.partition(" ha")[0])]
    assert len(named) + sum(isinstance(place, int) for place in shown) == len(architecture.stages)


def test_a_block_that_cannot_be_drawn_is_in_words(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: Any, **__: Any) -> str:
        raise ArchitectureError("too many channels")

    monkeypatch.setattr(pictures, "block_svg", refuse)
    monkeypatch.setattr(pictures, "network_svg", refuse)
    library, network = Library(), SMALL.networks[0].architecture
    assert library.blocks(network)[0] == f"Stage 1: 3 blocks {network.stages[0].block.label()}, 3 channels"
    assert library.strip(network) is None
    assert "Stage 1: 3 blocks" in render(SMALL)


# Text and structure


class Reading(HTMLParser):
    """Balance of the tags, text, ids, and attributes that refer to others."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, dict[str, str]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def of(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.attributes if name in attributes]


def check_structure(page: str) -> Reading:
    reading = Reading(page)
    assert reading.open == []
    ids = reading.of("id")
    assert len(ids) == len(set(ids))
    assert set(reading.of("aria-labelledby")) <= set(ids)
    rows = {link[1:] for link in reading.of("href") if link.startswith("#")}
    assert rows <= set(ids)
    return reading


def test_the_page_is_balanced_its_ids_are_unique_and_its_links_lead_somewhere():
    reading = check_structure(render(REPORT))
    headings = [int(tag[1]) for tag, _ in reading.attributes if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
    assert [a["lang"] for tag, a in reading.attributes if tag == "html"] == ["en"]
    assert {"nav", "main", "header", "footer"} <= {tag for tag, _ in reading.attributes}


def test_everything_is_inside_the_page_and_every_picture_is_in_words_too():
    reading = check_structure(render(REPORT))
    assert all(link.startswith(("#", "data:")) for link in [*reading.of("href"), *reading.of("src")])
    assert "url(" not in (ROOT / "igcnas/results/report/page/page.css").read_text()
    assert all(a["alt"] for tag, a in reading.attributes if tag == "img")
    outer = [a for tag, a in reading.attributes if tag == "svg" and a.get("class", "").startswith("plot")]
    assert len(outer) == 3
    assert all(a["aria-label"] for a in outer)


def test_only_our_own_script_may_run_and_nothing_may_be_loaded():
    page = render(SMALL)
    scripts = re.findall(r"<script(?P<kind>[^>]*)>(?P<text>.*?)</script>", page, re.DOTALL)
    assert [kind for kind, _ in scripts] == [' type="application/json" id="data"', ""]
    digest = base64.b64encode(hashlib.sha256(scripts[1][1].encode()).digest()).decode()
    (policy,) = re.findall('http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}'" in policy


def with_text(text: str) -> Report:
    """A report with this text in every place that holds text."""
    table = Table(caption=text, columns=(Column.numbers(text), Column.words(text)), rows=((text, text),), note=text)
    picture = Picture(name=text, caption=text, alt=text, svg=f"<svg><!-- {len(text)} --></svg>")
    section = Section(key=text, title=text, paragraphs=(text,), tables=(table,), pictures=(picture,), commands=(text,))
    words = {"name": text, "label": text, "block": text, "origin": text, "choices": {text: text}}
    networks = [
        dataclasses.replace(n, architecture=dataclasses.replace(n.architecture, family=text), **words)
        for n in SMALL.networks[:3]
    ]
    made_up = report_of(networks)
    return dataclasses.replace(
        made_up, title=text, subtitle=text, study=text, summary=section, sections=(section, section), version=text
    )


SCRIPT = "<script>alert(1)</script>"


@given(
    st.text()
    | st.sampled_from((SCRIPT, "</script><b>", "\"'`>&amp;{{ 7 }}{% x %}", "a\x00b", "-->", "]]>", "a\u202eb\u200b"))
)
@settings(max_examples=40)
def test_any_text_comes_out_as_it_went_in_and_what_cannot_be_seen_as_its_escape(text: str):
    page = render(with_text(text))
    reading = check_structure(page)
    assert sum(tag == "script" for tag, _ in reading.attributes) == 2
    clean = harmless.lines(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", clean)
    assert reading.of("alt").count(clean) == 3
    if clean.strip():
        assert sum(piece == clean for piece in reading.text) > 15
    raw = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert raw is not None
    assert all(n["label"] in (text, clean) for n in json.loads(raw[1])["networks"])


def test_a_report_of_no_networks_and_of_nothing_is_a_page():
    empty = dataclasses.replace(
        report_of([]), sections=(), summary=Section(key="summary", title="Nothing was trained yet")
    )
    reading = check_structure(render(empty))
    assert "Nothing was trained yet" in reading.text
    assert "front" not in reading.of("id")


def luminance(colour: tuple[float, ...]) -> float:
    parts = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """As WCAG 2 defines it: 4.5 is asked of text, 3 of parts of pictures."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_colours_of_both_modes_have_the_contrast_that_text_and_marks_need():
    css = (ROOT / "igcnas/results/report/page/page.css").read_text()
    modes = [dict(re.findall(r"--(\w+): (#\w{6});", part)) for part in css.split("@media screen and")[:2]]
    assert [len(mode) for mode in modes] == [7, 7]
    for mode in modes:
        colour = {name: tuple(int(value[i : i + 2], 16) for i in (1, 3, 5)) for name, value in mode.items()}
        for text, ground in itertools.product(("ink", "quiet", "accent"), ("paper", "wash")):
            assert contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
        assert contrast(colour["grey"], colour["paper"]) >= 3


# In a browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    pytest.importorskip("playwright")
    if executable() is None:
        pytest.skip("no Chromium on this machine: install one, or set IGCNAS_CHROMIUM to its path")
    from playwright.sync_api import Error

    with ExitStack() as stack:
        try:
            found = stack.enter_context(browser())
        except Error as error:
            if "IGCNAS_CHROMIUM" in os.environ:
                raise
            pytest.skip(f"{executable()} does not start: {str(error).splitlines()[0]}")
        yield found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Report], str]:
    folder, seen = tmp_path_factory.mktemp("pages"), dict[int, tuple[Report, str]]()

    def write(report: Report) -> str:
        if id(report) not in seen:
            path = folder / f"{len(seen)}.html"
            path.write_text(render(report), encoding="utf-8")
            seen[id(report)] = report, path.as_uri()  # kept, so that no other report gets its id
        return seen[id(report)][1]

    return write


Open = Callable[..., "Page"]


@pytest.fixture
def show(chromium: Browser, written: Callable[[Report], str]) -> Iterator[Open]:
    """Opens the page of a report; whatever the console, the script or the network complains of fails the test."""
    complaints: list[str] = []
    pages: list[Page] = []

    def opened(report: Report = REPORT, *, anchor: str = "", **options: Any) -> Page:
        address = written(report)
        page = chromium.new_page(**({"viewport": {"width": 1280, "height": 900}} | options))
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda r: None if r.url.split("#")[0] == address or r.url.startswith("data:") else complaints.append(r.url),
        )
        page.goto(address + anchor)
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.context.close()
    assert complaints == []


PHONE: dict[str, Any] = {"is_mobile": True, "has_touch": True}


def until(page: Page, expression: str) -> None:
    """Waits until this is true. The page allows no eval, which the waiting of playwright needs."""
    for _ in range(250):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    pytest.fail(f"this did not become true in 5 s: {expression}")


SHOWN = "Math.abs(document.querySelector('#network').getBoundingClientRect().top) < 100"


def spot(page: Page, number: int) -> tuple[float, float]:
    """Where the middle of a point is in the window."""
    page.locator("figure.front").scroll_into_view_if_needed()
    box = page.locator(f"a[data-number='{number}'] use").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def alone(report: Report) -> list[int]:
    """Numbers of networks with no other close to them on the front."""
    chart = compute_chart(report)
    assert chart is not None
    return [
        p.network.number
        for p in chart.points
        if all(math.hypot((p.x - o.x) * 9, (p.y - o.y) * 4.5) > 30 for o in chart.points if o is not p)
    ]


ALONE = alone(REPORT)
OTHER = next(n for n in ALONE if n != BEST.number and network(REPORT, n).state == "complete")


def test_a_point_under_the_mouse_says_which_network_it_is(show: Open):
    page = show()
    for number in ALONE[:5]:
        page.mouse.move(*spot(page, number))
        lines = page.locator(".tip > *").all_inner_texts()
        assert lines == [line for line in tip(network(REPORT, number)) if line]
    page.mouse.move(5, 5)
    assert page.locator(".tip").is_hidden()


def test_a_click_shows_the_network_its_curves_and_its_export(show: Open):
    page = show()
    assert page.locator("#network-title").inner_text() == title(BEST)
    page.mouse.click(*spot(page, OTHER))
    facts, axes = network(REPORT, OTHER), CurveAxes.of(REPORT.networks)
    assert axes is not None
    panel = page.locator("#network")
    assert panel.locator("[data-field=label]").inner_text() == facts.label
    assert f"{facts.macs:,}" in panel.locator("[data-field=facts]").inner_text()
    assert f"igcnas export made-up --trial {OTHER}" in panel.inner_text()
    library = Library()
    expected = [library.pictures[p] for p in library.blocks(facts.architecture) if isinstance(p, int)]
    drawn = panel.locator("[data-field=stages] svg")
    drawn.last.wait_for()
    titles = [re.findall("<title>(.*?)</title><desc>(.*?)</desc>", svg)[0] for svg in expected]
    until(page, f"document.querySelectorAll('[data-field=stages] svg').length === {len(expected)}")
    assert drawn.evaluate_all("all => all.map(svg => [svg.children[0].innerHTML, svg.children[1].innerHTML])") == [
        list(pair) for pair in titles
    ]
    for name, path_of in (("loss", axes.loss_path), ("accuracy", axes.accuracy_path)):
        paths = panel.locator(f"[data-paths={name}] path")
        drawn = paths.evaluate_all("all => all.map(path => path.getAttribute('d'))")
        assert drawn == [path_of(curve) for curve in facts.curves]
    assert page.url.endswith(f"#network-{OTHER}")
    assert page.locator("#network-title").bounding_box()["y"] < 900


def test_a_pruned_network_offers_no_export(show: Open):
    pruned = next(n for n in REPORT.networks if n.state == "pruned")
    page = show(anchor=f"#network-{pruned.number}")
    assert "when it was ended, after 5 epochs" in page.locator("#network").inner_text()
    assert page.locator("[data-part=command]").is_hidden()


def test_of_points_on_one_another_all_are_named_and_clicks_go_through_them(show: Open):
    twins = [dataclasses.replace(REPORT.networks[number], cost=0.1, accuracy=80.0) for number in range(10, 16)]
    others = [n for n in REPORT.networks if not 10 <= n.number < 16]
    page = show(dataclasses.replace(REPORT, networks=tuple(sorted([*others, *twins], key=lambda n: n.number))))
    place = spot(page, 12)
    page.mouse.move(*place)
    assert "and 2 more" in page.locator(".tip").inner_text()
    seen = []
    for _ in range(7):
        page.mouse.click(*place)
        seen.append(int(page.locator("#network-title").inner_text().split()[-1].strip(")")))
    assert set(seen[:6]) == set(range(10, 16))
    assert seen[6] == seen[0]


def test_arrow_keys_walk_by_cost_and_by_accuracy_and_enter_chooses(show: Open):
    page = show()
    page.locator(f"a[data-number='{BEST.number}']").focus()
    number = "Number(document.activeElement.dataset.number)"
    by_cost = [n.number for n in sorted(REPORT.networks, key=lambda n: n.cost)]
    page.keyboard.press("Home")
    walked = [page.evaluate(number)]
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        walked.append(page.evaluate(number))
    assert walked == by_cost[:6]
    assert page.locator(".tip strong").inner_text().split()[-1].strip(")") == str(walked[-1])
    before = network(REPORT, walked[-1]).accuracy
    page.keyboard.press("ArrowUp")
    higher = page.evaluate(number)
    assert network(REPORT, higher).accuracy == min(n.accuracy for n in REPORT.networks if n.accuracy > before)
    page.keyboard.press("Enter")
    assert page.locator("[data-field=label]").inner_text() == network(REPORT, higher).label
    page.keyboard.press("Escape")
    assert page.locator(".tip").is_hidden()
    assert page.locator(".front a[tabindex='0']").count() == 1


def test_an_entry_of_the_legend_hides_its_networks_from_eye_mouse_and_keys(show: Open):
    page = show()
    x, y = spot(page, OTHER)
    before = page.locator("figure.front .frame").bounding_box()
    assert before is not None
    across, down = x - before["x"], y - before["y"]
    page.mouse.click(x, y)
    block = network(REPORT, OTHER).block
    (button,) = (
        b for b in page.locator(".legend button").all() if b.inner_text().rsplit(maxsplit=1)[0].strip() == block
    )
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    hidden = [n.number for n in REPORT.networks if n.block == block and n.kind == "searched" and n.state == "complete"]
    shown = page.locator(".front a").evaluate_all(
        "all => all.filter(a => a.getClientRects().length).map(a => Number(a.dataset.number))"
    )
    assert set(shown) == {n.number for n in REPORT.networks} - set(hidden)
    assert page.locator(".ring").is_hidden()
    frame = page.locator("figure.front .frame").bounding_box()
    assert frame is not None
    page.mouse.move(frame["x"] + across, frame["y"] + down)
    assert page.locator(".tip").is_hidden()
    stop = page.locator(".front a[tabindex='0']")
    assert stop.count() == 1
    assert stop.is_visible()
    button.click()
    assert page.locator(f"a[data-number='{OTHER}']").is_visible()
    assert page.locator(".ring").is_visible()


def test_the_address_keeps_the_network(show: Open):
    page = show(anchor=f"#network-{OTHER}")
    label = page.locator("[data-field=label]")
    assert label.inner_text() == network(REPORT, OTHER).label
    until(page, SHOWN)
    page.evaluate(f"location.hash = '#network-{ALONE[0]}'")
    page.locator("[data-field=label]", has_text=network(REPORT, ALONE[0]).label).wait_for()
    unknown = show(anchor="#network-4711")
    assert unknown.locator("[data-field=label]").inner_text() == BEST.label


def test_the_table_sorts_by_any_column_and_its_numbers_lead_to_the_panel(show: Open):
    page = show()

    def column(place: int) -> list[str]:
        return page.locator(f".networks tbody td:nth-child({place})").all_inner_texts()

    page.locator(".networks th button", has_text="MACs").click()
    assert column(6) == [f"{n.macs:,}" for n in sorted(REPORT.networks, key=lambda n: -n.macs)]
    page.locator(".networks th button", has_text="MACs").click()
    assert column(6) == [f"{n.macs:,}" for n in sorted(REPORT.networks, key=lambda n: n.macs)]
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    page.locator(".networks th button", has_text="sd").click()
    spreads = column(4)
    filled = [float(text) for text in spreads if text]
    assert filled == sorted(filled, reverse=True)
    assert all(not text for text in spreads[len(filled) :])
    page.locator(f".networks a[href='#network-{OTHER}']").click()
    until(page, SHOWN)
    assert page.locator("[data-field=label]").inner_text() == network(REPORT, OTHER).label
    assert page.locator("tr.chosen td").first.inner_text() == str(OTHER)


def test_a_network_that_a_section_names_can_be_seen_closely(show: Open):
    page = show()
    link = page.locator("#s-baselines td a")
    assert link.all_inner_texts() == ["1"]
    for _ in range(2):  # also if it is the one that is shown
        link.click()
        until(page, SHOWN)
        assert page.locator("#network-title").inner_text() == title(network(REPORT, 1))


def test_columns_that_nobody_fills_are_left_out():
    networks = [dataclasses.replace(n, origin="", sd=None) for n in SMALL.networks]
    columns, rows = table(networks)
    assert [name for name, _ in columns] == [name for name in COLUMNS if name not in ("origin", "sd")]
    assert all(len(cells) == len(columns) for _, cells in rows)


def test_a_command_is_copied(show: Open):
    page = show()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#s-importance .command button").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "igcnas importance made-up"


BEYOND = """() => [...document.querySelectorAll("main *")]
  .filter((e) => !e.closest(".scroll, pre") && e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("width", [360, 390])
def test_on_a_phone_nothing_is_wider_than_the_page_and_a_tap_chooses(show: Open, width: int):
    long = Table(caption="wide", columns=(Column.words("a" * 40),) * 9, rows=(("b" * 30,) * 9,))
    section = Section(key="wide", title="W" * 60, paragraphs=("p" * 120,), tables=(long,), commands=("c" * 200,))
    wide = dataclasses.replace(REPORT, sections=(*REPORT.sections, section))
    page = show(wide, viewport={"width": width, "height": 780}, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(BEYOND) == []
    contents = page.locator("nav details")
    assert contents.get_attribute("open") is None
    page.locator("nav summary").tap()
    page.locator("nav a", has_text="All networks").tap()
    until(page, "document.querySelector('#networks').getBoundingClientRect().top < innerHeight")
    assert contents.get_attribute("open") is None
    page.touchscreen.tap(*spot(page, OTHER))
    assert page.locator(".tip").is_visible()
    tip_box = page.locator(".tip").bounding_box()
    assert tip_box is not None
    assert tip_box["x"] >= 0
    assert tip_box["x"] + tip_box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width


CONTRASTS = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("script, style, svg defs")) continue;
    const style = getComputedStyle(element);
    const ink = parse(element instanceof SVGElement ? style.fill : style.color);
    let ground = element;
    while (ground && (parse(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0) ground = ground.parentElement;
    const paper = parse(getComputedStyle(ground ?? document.body).backgroundColor);
    const share = element instanceof SVGElement ? Number(style.fillOpacity) : 1;
    const seen = ink.slice(0, 3).map((part, place) => share * part + (1 - share) * paper[place]);
    found.push([element.tagName + "." + element.getAttribute("class"), seen, paper.slice(0, 3)]);
  }
  return found;
}"""


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_text_can_be_read_in_light_and_dark(show: Open, mode: str):
    page = show(color_scheme=mode)
    page.mouse.move(*spot(page, OTHER))
    found = page.evaluate(CONTRASTS)
    assert len(found) > 200
    papers = {tuple(paper) for _, _, paper in found}
    assert all((luminance(paper) < 0.1) == (mode == "dark") for paper in papers)
    assert [entry for entry in found if contrast(entry[1], entry[2]) < 4.5] == []


def test_in_print_all_text_is_there_light_and_no_control(show: Open):
    page = show(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    text = page.locator("main").inner_text()
    for section in REPORT.sections:
        assert section.title in text
        assert all(paragraph in text for paragraph in section.paragraphs)
    assert f"{REPORT.networks[-1].macs:,}" in text
    for control in ("nav", ".command button", ".hint", ".skip"):
        assert page.locator(control).first.is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".tall").evaluate("e => e.scrollHeight <= e.clientHeight + 1")
    assert page.pdf().startswith(b"%PDF")


def test_a_long_table_is_printed_without_the_networks_that_nobody_asks_for(show: Open):
    page = show(made(130))
    page.emulate_media(media="print")
    shown = page.locator(".networks tbody tr").evaluate_all("all => all.filter(r => r.checkVisibility()).length")
    assert 0 < shown < 30
    assert "printed are those on the front" in page.locator(".networks caption").inner_text()


def test_without_scripts_all_text_is_there_and_a_point_leads_to_its_row(show: Open):
    page = show(java_script_enabled=False)
    assert BEST.label in page.locator("#network").inner_text()
    assert page.locator(".front a title").count() == len(REPORT.networks)
    page.locator(f"a[data-number='{OTHER}']").click()
    assert page.url.endswith(f"#network-{OTHER}")
    row = page.locator(f"#network-{OTHER}")
    assert row.is_visible()
    assert page.locator("tr:target td").first.inner_text() == str(OTHER)
    assert page.locator(".hint").is_hidden()


def test_whoever_wants_no_motion_gets_none(show: Open):
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert show(reduced_motion="reduce").evaluate(behaviour) == "auto"
    assert show(reduced_motion="no-preference").evaluate(behaviour) == "smooth"


@pytest.mark.parametrize("text", [SCRIPT, "\"'><img src=x onerror=alert(1)>", "</script></style>"])
def test_a_name_that_is_html_is_shown_and_never_run(show: Open, text: str):
    page = show(with_text(text))
    page.on("dialog", lambda dialog: pytest.fail("a name was run"))
    assert page.locator("h1").inner_text() == text
    page.mouse.click(*spot(page, 1))
    assert text in page.locator("#network-title").inner_text()
    assert text in page.locator(".tip").inner_text()
    assert page.locator("img[src=x]").count() == 0


def test_a_page_of_no_networks_opens_without_a_complaint(show: Open):
    page = show(report_of([]))
    assert page.locator("#front").count() == 0
    assert page.locator("#s-baselines table").is_visible()
