"""A result as plain data, as a table in Markdown and as CSV, and in words. Numbers come from `result`; none here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from igcnas.export.latency.measuring import Latency
from igcnas.results.table import Column, Table
from igcnas.units import counted

from . import verdict
from .quadratic import Quadratic
from .result import Judged, Result, Row

Latencies = Mapping[str, Mapping[int, Latency]]

_HEADINGS = {
    verdict.SUPPORT: "The data support it",
    verdict.CONTRADICT: "The data contradict it",
    verdict.CANNOT_TELL: "The data cannot tell",
}


def ratio_text(x: float) -> str:
    """A ratio from its log2, in three digits, as far as one could sweep."""
    if abs(x) > 10:
        return "> 1000" if x > 0 else "< 0.001"
    return f"{2.0**x:.3g}"


def vertex_text(curve: Quadratic) -> str:
    """Where the vertex is, with Fieller's interval, or that there is none."""
    low, high = curve.curvature_interval()
    if low <= 0 <= high:
        return "undefined (the interval of the curvature contains 0)"
    vertices = curve.vertices()
    kind = "" if curve.curvature < 0 else ", a lowest point"
    return f"at {ratio_text(curve.vertex)} ({ratio_text(vertices.low)} to {ratio_text(vertices.high)}{kind})"


def question(result: Result) -> str:
    """The hypothesis in words."""
    near = result.settings.near
    return f"accuracy at equal MACs peaks within a factor {near:g} of L = M S"


def words(result: Result) -> list[str]:
    """What was found, a sentence each; the first is the verdict."""
    curve, settings = result.accuracy.curve, result.settings
    low, high = curve.curvature_interval()
    slope = curve.slope_interval()
    bootstrap = curve.bootstrap or (-math.inf, math.inf)
    best = [f"{row.entrant.name} ({row.entrant.ratio:.2f})" for row in result.igc if row.may_be_best]
    said = [
        f"{_HEADINGS[result.verdict]}: {question(result)} (H2).",
        f"By the quadratic: {result.accuracy.verdict}. Vertex in L/(MS): {vertex_text(curve)}, 95 %; by the bootstrap "
        f"over seeds {ratio_text(bootstrap[0])} to {ratio_text(bootstrap[1])}. Curvature {curve.curvature:.4f} "
        f"({low:.4f} to {high:.4f}) points per squared octave.",
        f"By the ratios, without a curve: {result.by_ratios}. Best mean: {result.best.entrant.name} at "
        f"{result.best.entrant.ratio:.2f}; may be the best: {', '.join(best)}.",
    ]
    if low < 0:
        said.append(
            f"If it is a quadratic, then three octaves from a peak the accuracy is at most {-9 * low:.2f} points lower "
            "than at it: a sharper peak is excluded (97.5 %)."
        )
    if curve.lack_of_fit is not None:
        fits = "do not lie on a quadratic" if curve.lack_of_fit < verdict.LEVEL else "are compatible with a quadratic"
        said.append(f"The means {fits} (lack of fit: p = {_p(curve.lack_of_fit)}).")
    side = "right, at more partitions L than M S" if curve.slope > 0 else "left, at fewer partitions L than M S"
    lean = f"the accuracy still rises to the {side}" if slope[0] > 0 or slope[1] < 0 else "0 is within its interval"
    said.append(
        f"Slope at L = M S: {curve.slope:.3f} ({slope[0]:.3f} to {slope[1]:.3f}) points an octave; {lean}. Networks at "
        "r and 1/r are about equally wide, so width alone would make it 0."
    )
    said.append(
        f"Mean accuracy and width over {len(result.igc)} networks: Spearman {_three(result.rho)}, Kendall "
        f"{_three(result.tau)}; intervals over seeds."
    )
    said.append(f"With the logarithm of the error: {_brief(result.log_error)}.")
    if result.others is not None:
        said.append(
            f"For other images of the same kind (Nadeau and Bengio's correction): {_brief(result.others)}. The verdict "
            "above is of new splits and seeds on these images."
        )
    else:
        said.append(
            "All seeds are tested on the same images; the error of that choice of images is not in the intervals."
        )
    if result.dense is not None:
        counts = {"more": 0, "fewer": 0}
        for row in result.igc:
            if row.against_dense is not None and row.against_dense[3] < verdict.LEVEL:
                counts["more" if row.against_dense[0] > 0 else "fewer"] += 1
        said.append(
            f"Against the regular convolution of equal cost and depth ({result.dense.entrant.name}): of "
            f"{len(result.igc)} IGC networks {counts['more']} are more accurate and {counts['fewer']} less (paired, "
            f"Holm, 5 %)."
        )
    if len(settings.rates) > 1:
        said.append(
            f"Each network has the learning rate of its best mean over {settings.tuning_seeds} separate seeds, of "
            f"{', '.join(f'{rate:g}' for rate in settings.rates)}."
        )
    if len(result.asked) > 1:
        said.append(
            f"Seeds were added after results could be seen: {', then '.join(map(str, result.asked))} were asked for."
        )
    if result.failed:
        said.append(f"{len(result.failed)} trainings failed; their seeds do not count. First: {result.failed[0]}.")
    for budget, judged in result.paper.items():
        said.append(f"The paper's own points at T = {budget:,} (CIFAR-100), same rule: {_brief(judged)}.")
    return said


def _brief(judged: Judged) -> str:
    return f"{judged.verdict}, vertex {vertex_text(judged.curve)}"


def conditions(result: Result) -> str:
    """One line: what was trained, how, on what."""
    settings, training = result.settings, result.settings.training
    kind = "residual" if settings.residual else "plain"
    images = (
        f"a new split of all images for each seed ({100 * settings.test_fraction:g} % tested, "
        f"{result.test_images:,} images)"
        if settings.splits == "repeated"
        else f"the given test split ({result.test_images:,} images)"
    )
    rates = ", ".join(f"{rate:g}" for rate in settings.rates)
    return (
        f"{settings.data_name}: {kind} networks of depth {settings.depth}, {settings.budget_macs / 1e6:.4g} MFLOPs "
        f"within {100 * settings.tolerance:g} %, {result.n} seeds, {training.epochs} epochs, batch "
        f"{training.batch_size}, learning rate {rates}, {images}; trained on {', '.join(result.devices)}."
    )


def markdown(result: Result, times: Latencies) -> str:
    """table.md."""
    table = Table.of([*_COLUMNS, *_times(times)], result.rows).markdown()
    lines = [f"# Width trial on {result.settings.data_name}", "", conditions(result), "", table]
    lines += [
        "",
        "*accuracy*: mean over seeds +- half of Student's 95 % interval; *paired*: the same within seeds, to compare "
        "rows by. *share of bound*: width over the largest real width at these MACs. *may be best*: no other IGC "
        "network is better (one-sided paired tests, Holm, 5 %).",
        "",
        *(f"- {sentence}" for sentence in words(result)),
    ]
    if result.left_out:
        lines.append(f"- Left out, without a network within the tolerance: {', '.join(result.left_out)}.")
    return "\n".join(lines) + "\n"


def _of_igc(value: Callable[[Row], Any]) -> Callable[[Row], Any]:
    """The value of an IGC network; unknown for others."""
    return lambda row: value(row) if row.entrant.kind == "igc" else None


def _half(ends: tuple[float, float]) -> str:
    return f"+- {(ends[1] - ends[0]) / 2:.2f}"


_COLUMNS = (
    Column.words("network", lambda row: row.entrant.name),
    Column.numbers("L/(MS)", _of_igc(lambda row: row.entrant.ratio), ".3f"),
    Column.numbers("width", lambda row: row.entrant.width),
    Column.numbers(
        "share of bound", _of_igc(lambda row: 100 * row.entrant.width_share), lambda share: f"{share:.1f} %"
    ),
    Column.numbers("MFLOPs", lambda row: row.entrant.macs / 1e6, ".3f"),
    Column.numbers("off by", lambda row: f"{100 * row.entrant.deviation:+.2f} %"),
    Column.numbers("accuracy", lambda row: f"{row.mean:.2f} {_half(row.interval)}"),
    Column.numbers("paired", lambda row: row.paired, _half),
    Column(heading="may be best", side="centre", of=_of_igc(lambda row: "yes" if row.may_be_best else "no")),
    Column.numbers(
        "minus regular",
        lambda row: row.against_dense,
        lambda against: f"{against[0]:+.2f} ({against[1]:+.2f} to {against[2]:+.2f})",
    ),
    Column.numbers(
        "p (Holm)", lambda row: None if row.against_dense is None else row.against_dense[3], lambda p: _p(p)
    ),
)


def _times(times: Latencies) -> list[Column]:
    """A column for each number of images in a batch."""
    batches = sorted({batch for own in times.values() for batch in own})

    def milliseconds(batch: int) -> Callable[[Row], float | None]:
        return lambda row: own.median_ms if (own := times.get(row.entrant.name, {}).get(batch)) else None

    return [Column.numbers(f"ms, {counted(batch, 'image')}", milliseconds(batch), ".2f") for batch in batches]


def comma_separated(result: Result, times: Latencies) -> str:
    """table.csv."""
    return _records(result, times).csv()


def _records(result: Result, times: Latencies) -> Table:
    return Table.of_data([_record(row, times) for row in result.rows])


def _record(row: Row, times: Latencies) -> dict[str, Any]:
    one, own = row.entrant, times.get(row.entrant.name, {})
    against = row.against_dense or (None,) * 4
    data = {
        "network": one.name,
        "kind": one.kind,
        "L": one.L if one.kind == "igc" else None,
        "M": one.M if one.kind == "igc" else None,
        "ratio": one.ratio,
        "width": one.width,
        "width_share": one.width_share if one.kind == "igc" else None,
        "macs": one.macs,
        "params": one.params,
        "deviation": one.deviation,
        "learning_rate": row.rate,
        "accuracy": row.mean,
        "sd": row.sd,
        "low": row.interval[0],
        "high": row.interval[1],
        "paired_low": row.paired[0],
        "paired_high": row.paired[1],
        "may_be_best": row.may_be_best if one.kind == "igc" else None,
        "best_p": row.best_p,
        "minus_regular": against[0],
        "minus_regular_low": against[1],
        "minus_regular_high": against[2],
        "minus_regular_p": against[3],
        "training_seconds": row.seconds,
    }
    for batch, time in own.items():
        data |= {f"latency_ms_{batch}": time.median_ms, f"latency_iqr_ms_{batch}": time.iqr_ms}
    return data


def plain(result: Result, times: Latencies) -> dict[str, Any]:
    """For --json; no infinities: an open end is null."""
    return {
        "settings": result.settings.to_dict(),
        "seeds": result.n,
        "asked": list(result.asked),
        "test_images": result.test_images,
        "verdict": result.verdict,
        "by_quadratic": result.accuracy.verdict,
        "by_ratios": result.by_ratios,
        "quadratic": _plain_curve(result.accuracy.curve),
        "other_images": None if result.others is None else _plain_judged(result.others),
        "log_error": _plain_judged(result.log_error),
        "spearman": [_number(value) for value in result.rho],
        "kendall": [_number(value) for value in result.tau],
        "paper": {str(budget): _plain_judged(judged) for budget, judged in result.paper.items()},
        "networks": _records(result, times).data(),
        "left_out": list(result.left_out),
        "failed": list(result.failed),
        "words": words(result),
    }


def _plain_judged(judged: Judged) -> dict[str, Any]:
    return {"verdict": judged.verdict, **_plain_curve(judged.curve)}


def _plain_curve(curve: Quadratic) -> dict[str, Any]:
    vertices = curve.vertices()
    low, high = curve.curvature_interval()
    bootstrap = None if curve.bootstrap is None else [_ratio(end) for end in curve.bootstrap]
    return {
        "height": curve.height,
        "slope": curve.slope,
        "curvature": curve.curvature,
        "curvature_interval": [_number(low), _number(high)],
        "vertex_ratio": _ratio(curve.vertex) if not low <= 0 <= high else None,
        "vertex_interval": [_ratio(vertices.low), _ratio(vertices.high)] if vertices.inside else None,
        "vertex_bootstrap": bootstrap,
        "lack_of_fit_p": curve.lack_of_fit,
    }


def _ratio(x: float) -> float | None:
    return 2.0**x if abs(x) < 1000 else None


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _p(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def _three(values: tuple[float, float, float]) -> str:
    return f"{values[0]:.2f} ({values[1]:.2f} to {values[2]:.2f})"
