"""What is shown of a campaign, in a log and on a terminal; and how long it is said to take."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from support.campaigns import PAIR, retrain_settings

from igcnas.cli.progress.campaign import CampaignProgress
from igcnas.cli.progress.clock import ListClock
from igcnas.cli.progress.display import Display, Shown
from igcnas.results.retraining import FinalistTraining, Result
from igcnas.search.campaign import Campaign
from igcnas.training.reports import EpochReport


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def trainings(folder: Path) -> list[FinalistTraining]:
    chosen = retrain_settings(epochs=4)
    return [FinalistTraining.of(folder, chosen, one, 0) for one in PAIR]


def begun(folder: Path) -> Campaign[Result]:
    """A campaign of three, of which the last is done."""
    third = FinalistTraining.of(folder, retrain_settings(), PAIR[0], 1)
    third.write(result(third))
    return Campaign([*trainings(folder), third])


def result(one: FinalistTraining, *, failed: str | None = None) -> Result:
    return Result(
        network=one.finalist,
        repeat=0,
        test_right=1,
        test_images=2,
        macs=1,
        params=1,
        train_loss=0.25,
        seconds=1.5,
        device="cpu",
        failed=failed,
    )


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found = [100.0]
    monkeypatch.setattr("igcnas.cli.progress.clock.time.monotonic", lambda: found[0])
    return found


def test_time_left_is_what_was_expected_at_the_pace_so_far_shared_by_the_workers(now: list[float]) -> None:
    clock = ListClock({"a": 10.0, "b": 20.0, "c": 30.0}, workers=2)
    assert clock.left() == "30 s"
    for key in "ab":
        clock.started(key, taken_up=False)
    clock.reached("b", 0.5)
    assert clock.left() == "25 s"
    now[0] += 20  # twice as long
    clock.finished("a")
    assert clock.left() == "40 s"


def test_what_workers_wait_for_between_trainings_is_part_of_the_pace(now: list[float]) -> None:
    clock = ListClock({"a": 10.0, "b": 10.0, "c": 10.0, "d": 10.0})
    clock.started("a", taken_up=False)
    now[0] += 10
    clock.finished("a")
    assert clock.left() == "30 s"
    now[0] += 10  # the next one is proposed
    clock.started("b", taken_up=False)
    now[0] += 10
    clock.finished("b")
    assert clock.left() == "30 s"  # 30 s for two
    together = ListClock({"a": 10.0, "b": 10.0, "c": 10.0, "d": 10.0, "e": 30.0}, workers=2)
    for key in "ab":
        together.started(key, taken_up=False)
    now[0] += 10
    for key in "ab":
        together.finished(key)
    for key in "cd":
        now[0] += 5  # one after the other
        together.started(key, taken_up=False)
    now[0] += 5
    for key in "cd":
        together.finished(key)
    assert together.left() == "38 s"  # of each, 12.5 s for 10


def test_long_trainings_tell_their_pace_before_the_first_has_ended(now: list[float]) -> None:
    clock = ListClock({"a": 100.0, "b": 100.0})
    clock.started("a", taken_up=False)
    now[0] += 7  # a process starts
    clock.reached("a", 0.1)
    assert clock.left() == "3 min"  # 190 s
    now[0] += 60
    clock.reached("a", 0.4)  # 60 s for 30
    assert clock.left() == "5 min"  # 320 s
    equal = ListClock({"a": 1.0, "b": 1.0}, relative=True)
    equal.started("a", taken_up=False)
    assert equal.left() == "an unknown time"
    for share in (0.25, 0.5):
        now[0] += 10
        equal.reached("a", share)
    assert equal.left() == "60 s"


def test_a_training_that_was_taken_up_says_nothing_of_the_pace(now: list[float]) -> None:
    clock = ListClock({"a": 10.0, "b": 20.0})
    clock.started("a", taken_up=True)
    now[0] += 1
    clock.finished("a")
    assert clock.left() == "20 s"


def test_where_nothing_is_known_the_time_is_unknown_and_at_the_end_none_is_left() -> None:
    clock = ListClock({"a": math.nan})
    assert clock.left() == "an unknown time"
    clock.started("a", taken_up=False)
    clock.finished("a")
    assert clock.left() == "0 s"


def test_each_training_that_ends_has_a_line_with_count_result_and_time_left(tmp_path: Path) -> None:
    output, (first, second) = io.StringIO(), trainings(tmp_path)
    progress = CampaignProgress(output, begun(tmp_path), {first.stem: 5.0, second.stem: 5.0}, workers=2)
    with progress:
        for one in (first, second):
            progress.started(one)
        progress.epoch(second, EpochReport(epoch=1, train_loss=1.0, val_accuracy=math.nan))
        progress.finished(second, result(second))
        progress.finished(first, result(first, failed="diverged"))
    lines = output.getvalue().splitlines()
    assert lines[0].startswith("   2/3  Known, seed 0  loss 0.2500     1.5 s  (")
    assert lines[1] == "   3/3  trial 3, seed 0  failed: diverged  (0 s left)"


def test_lines_of_short_trainings_can_be_fewer_but_for_the_last(tmp_path: Path) -> None:
    output, (first, second) = io.StringIO(), trainings(tmp_path)
    campaign = Campaign([first, second])
    progress = CampaignProgress(output, campaign, workers=1, what="rates", quiet_seconds=1000.0)
    assert progress.left() == "an unknown time"
    for one in (first, second):
        progress.started(one)
        progress.finished(one, result(one))
    assert output.getvalue() == "rates        2/2  Known, seed 0  loss 0.2500     1.5 s  (0 s left)\n"


def test_on_a_terminal_a_bar_stands_below_the_lines_with_what_is_in_training(tmp_path: Path) -> None:
    output, (first, second) = Terminal(), trainings(tmp_path)
    progress = CampaignProgress(output, begun(tmp_path), {first.stem: 5.0, second.stem: 5.0}, workers=2)
    with progress:
        progress.started(first)
        progress.started(second)
        for epoch, accuracy in ((1, 0.0), (2, 99.0), (1, 0.0), (2, 50.0)):  # taken up by another worker
            progress.epoch(second, EpochReport(epoch=epoch, train_loss=1.0, val_accuracy=accuracy))
        progress.note("note      a [bold] word")
        shown = progress._shown()
    assert "note      a [bold] word" in output.getvalue()
    assert "1/3 trainings, " in output.getvalue()
    assert shown.done == 1 + 2 / 4
    assert [line.split(":")[0] for line in shown.running] == ["training  trial 3, seed 0", "training  Known, seed 0"]
    assert shown.running[1].startswith("training  Known, seed 0: epoch 2/4, 50.00 %  ")


def test_of_many_trainings_at_once_the_first_are_shown_and_the_others_counted() -> None:
    output = Terminal()
    running = tuple(f"training  {number}" for number in range(11))
    with Display(output, lambda: Shown(done=1, total=2, words="half", running=running)):
        pass
    assert "training  7" in output.getvalue()
    assert "training  8" not in output.getvalue()
    assert "training  and 3 more" in output.getvalue()
