"""igcnas finish: fixed before it begins, exact after any kill, tested once, handed over whole."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from support.campaigns import Here, Silent
from torch import nn

from igcnas.cli import main
from igcnas.cli.predict import network_folder
from igcnas.errors import IgcnasError, StudyError
from igcnas.network.cost import count
from igcnas.network.literature import family
from igcnas.results.finishing import plan, teacher
from igcnas.results.finishing.choosing import chosen
from igcnas.results.finishing.handover import hand_over, is_there, kept_of_another, place
from igcnas.results.finishing.plan import FinishSettings, guard, long_recipe, members_of, some_of_the_front
from igcnas.results.finishing.table import balance_line, notes, text
from igcnas.results.finishing.teacher import check_teacher, teachers_of
from igcnas.results.finishing.testing import ByClass, Finished, _right, measured, read_finished
from igcnas.results.finishing.training import taught, untaught
from igcnas.results.report.composing import composition
from igcnas.search.evaluation import Interrupted
from igcnas.search.records import exports_of, trained
from igcnas.search.study import Study
from igcnas.statistics.intervals import paired_shares_interval
from igcnas.statistics.noise import balanced_standard_error, effective_images
from igcnas.training.preparing import set_epsilon
from igcnas.training.recipes import recipe_for
from igcnas.training.runs.weights import Checkpoint
from igcnas.training.settings import BALANCED

pytestmark = pytest.mark.usefixtures("forked_workers")

ROOT = Path(__file__).parents[1]
SEARCH = "--budget-mflops 0.05 --networks 4 --epochs 2 --seeds 1 --no-baselines --no-export --workers 1 --seed 3"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("studies")
    assert main(["search", *SEARCH.split(), "--study", "s", "--studies-dir", str(root)]) == 0
    return root / "s"


@pytest.fixture
def study(searched: Path, tmp_path: Path) -> Study:
    return Study.read(Path(shutil.copytree(searched, tmp_path / "s")))


@pytest.fixture(scope="module")
def finished(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the study, finished with two seeds."""
    folder = Path(shutil.copytree(searched, tmp_path_factory.mktemp("finished") / "s"))
    assert main(["finish", str(folder), "--epochs", "3", "--seeds", "2", "--workers", "1"]) == 0
    return folder


def settings_of(study: Study, *, epochs: int = 2, seeds: int = 1, teacher: str = "none", front: int = 1) -> Any:
    asked = some_of_the_front(study, front)
    teachers = teachers_of(study, asked, teacher)
    recipe = long_recipe(study.settings.training, epochs=epochs)
    return FinishSettings(
        data_name="digits",
        data_fingerprint=study.settings.data.fingerprint,
        chosen="a test",
        taught=teacher,
        recipe=dataclasses.replace(recipe, distillation=0.5 if teachers else 0.0),
        training=study.settings.training,
        seeds=seeds,
        members=members_of(asked, teachers),
    )


def here(study: Study, *, stop: Callable[[], bool] = lambda: False) -> Here:
    return Here(study.data, study.settings.training, stop=stop, checkpoint_seconds=1e9)


# What is handed over


def test_the_leader_is_handed_over_with_all_that_an_export_has(finished):
    record = json.loads((finished / "final" / "architecture.json").read_text(encoding="utf-8"))
    assert record["id"] == Study.read(finished).leader.architecture.id
    names = {one.name for one in (finished / "final").iterdir()}
    assert {"card.md", "model.onnx", "model.py", "weights.safetensors"} <= names
    for fact in ("gain", "test accuracy", "training"):
        assert record["facts"][fact] in (finished / "final" / "card.md").read_text(encoding="utf-8")


def test_what_is_handed_over_answers_as_the_file_of_the_test_says(finished):
    split = Study.read(finished).data.load_test()
    session = onnxruntime.InferenceSession(finished / "final" / "model.onnx")
    (logits,) = session.run(["logits"], {"image": (split.images / 255).astype(np.float32)})
    right = int((logits.argmax(1) == split.labels).sum())
    (found,) = read_finished(finished / "finish-3") or []
    assert found.right[0] == right
    assert found.images == len(split.labels)


def test_the_gain_is_over_the_weights_of_the_search_on_the_same_images(finished, capsys):
    folder = Path(finished)
    study = Study.read(folder)
    assert main(["export", str(folder), "--trial", str(study.leader.number)]) == 0
    record = json.loads((study.folder_of(study.leader) / "export" / "architecture.json").read_text(encoding="utf-8"))
    (found,) = read_finished(folder / "finish-3") or []
    assert found.short == pytest.approx(record["test_accuracy"]["lowered"])
    assert found.gain == pytest.approx(100 * (found.gained - found.lost) / found.images)
    low, high = found.interval
    assert low < found.gain < high
    capsys.readouterr()


def test_it_is_trained_on_all_images_but_the_test_split_by_seeds_of_its_own(finished):
    study = Study.read(finished)
    settings = FinishSettings.read(finished / "finish-3")
    (member,) = settings.members
    seeds = {settings.seed(member, 0), settings.seed(member, 1)}
    assert len(seeds | {record.seed for record in trained(study.records)}) == 2 + len(trained(study.records))
    checkpoint = Checkpoint.read(finished / "finish-3" / f"{member.stem}-seed0.safetensors")
    pixels = study.data.train.images.reshape(len(study.data.train.labels), -1) / 255
    assert checkpoint.mean[0] == pytest.approx(pixels.mean(), abs=1e-6)
    assert checkpoint.data["validation"] is None


def test_the_same_command_says_it_again_and_reads_the_test_split_no_more(finished, tmp_path, capsys, monkeypatch):
    folder = Path(shutil.copytree(finished, tmp_path / "s"))
    monkeypatch.setattr("igcnas.results.finishing.testing._measured", None)
    assert main(["finish", str(folder), "--epochs", "3", "--seeds", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (row,) = found["networks"]
    (there,) = read_finished(folder / "finish-3") or []
    assert row["test_accuracy"] == there.first
    assert row["accuracies"] == there.accuracies
    assert row["export"] == str(folder / "final")


def test_evaluate_reads_the_test_split_of_it_and_says_so(finished, capsys):
    (there,) = read_finished(finished / "finish-3") or []
    for words in ([], ["--split", "both"]):
        assert main(["evaluate", str(finished), "--json", *words]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["test"]["top1"] == pytest.approx(there.first)
        assert "validation" not in found
    assert main(["evaluate", str(finished), "--split", "validation"]) == 2
    assert "trained on the validation images, too" in capsys.readouterr().err


def test_status_names_it_with_its_accuracy(finished, capsys):
    assert main(["status", str(finished)]) == 0
    (there,) = read_finished(finished / "finish-3") or []
    assert f"{there.first:.2f} %" in capsys.readouterr().out
    assert exports_of(finished)[0].folder == "final"


def test_a_finish_is_no_retraining(finished):
    assert not Study.read(finished).retrainings


def test_other_settings_are_refused_in_one_line(finished, capsys):
    assert main(["finish", str(finished), "--epochs", "3"]) == 2
    said = capsys.readouterr().err
    assert "seeds: 2 -> 1" in said
    assert "--name NAME" in said
    assert said.count("\n") == 1


# Beside another finish


def exported(folder: Path, *, finish: str) -> None:
    """Of an export what tells whose it is, and how good."""
    network = family("igc").build(L=2, M=2, depth=5)
    data = {"id": "x", "architecture": network.to_dict(), "test_images": 400, "test_accuracy": {"lowered": 90.0}}
    data |= {"facts": {"network": "number 5 of the study, trained to the end"} | ({"finish": finish} if finish else {})}
    folder.mkdir(parents=True)
    (folder / "architecture.json").write_text(json.dumps(data), encoding="utf-8")


def test_another_finish_leaves_final_alone_and_says_how_to_use_its_own(finished, tmp_path, capsys):
    folder = Path(shutil.copytree(finished, tmp_path / "s"))
    first = (folder / "final" / "model.onnx").read_bytes()
    card = (folder / "final" / "card.md").read_text(encoding="utf-8")
    for again in range(2):
        assert main(["finish", str(folder), "--epochs", "1", "--workers", "1"]) == 0
        said = capsys.readouterr().out
        (before,), (now,) = read_finished(folder / "finish-3") or [], read_finished(folder / "finish-1") or []
        assert (
            f"note      final/ stays of finish-3/ ({before.first:.2f} % of the test images); this finish "
            f"({now.first:.2f} %) is used by: igcnas predict {folder / 'final-finish-1'} PICTURE" in said
        )
        assert ("reading the test split, once" in said) == (again == 0)
        assert (f"test      read before: {folder / 'finish-1' / 'test.json'}" in said) == (again == 1)
    assert (folder / "final" / "model.onnx").read_bytes() == first
    assert (folder / "final" / "card.md").read_text(encoding="utf-8") == card
    assert (folder / "final-finish-1" / "model.onnx").is_file()
    assert not (folder / "final-finish-1-2").exists()
    assert network_folder(str(folder), folder.parent) == folder / "final"
    # status and report tell of both
    assert main(["status", str(folder)]) == 0
    said = capsys.readouterr().out
    told = {"final": before.first, "final-finish-1": now.first}
    for name, accuracy in told.items():
        assert f"test      {accuracy:.2f} % +- " in said
        assert f"trained to the end in {name}/" in said
    assert main(["evaluate", str(folder / "final-finish-1")]) == 0
    assert f"{folder}/evaluation/final-finish-1/test/evaluation.json" in capsys.readouterr().out
    found = composition(Study.read(folder), importance=False).report
    summary = " ".join(" ".join(found.summary.paragraphs).split())  # without the spaces that do not break
    assert all(f"in {name}/, {accuracy:.2f} %" in summary for name, accuracy in told.items())
    answers = next(section for section in found.sections if section.key == "answers")
    assert any(" ".join(one.split()).startswith("final-finish-1/ on ") for one in answers.paragraphs)


def test_the_first_finish_has_the_usual_place_and_another_one_a_name_of_its_own(study):
    settings = settings_of(study)
    (member,) = settings.asked
    root = study.folder

    def placed(name: str) -> str:
        return place(study, root / name, settings, member).name

    assert placed("finish-2") == "final"
    exported(root / "final", finish=f"finish-2, {member.name}, architecture x, seed 1")
    assert placed("finish-2") == "final"
    assert placed("other") == "final-other"
    exported(root / "final-other", finish=f"other, {member.name}, architecture x, seed 1")
    assert placed("other") == "final-other"
    shutil.rmtree(root / "final")
    assert placed("other") == "final-other"
    assert placed("third") == "final"
    # what does not say whose it is, or is no export, is nobody's to write over
    exported(root / "final", finish="")
    (root / "final-third").mkdir()
    (root / "final-third" / "finish.json").touch()
    assert placed("third") == "final-third-2"
    kept = kept_of_another(study, root / "third", settings, member)
    assert kept is not None
    assert (kept.folder, kept.finish, kept.accuracy) == (root / "final", "", 90.0)


def test_several_networks_of_another_finish_have_its_name_and_their_number(study):
    settings = settings_of(study)
    (member,) = settings.asked
    second = dataclasses.replace(member, name="trial 77", number=77)
    both = dataclasses.replace(settings, members=(member, second))
    exported(study.folder / "final-77", finish="finish-2, trial 77, architecture x, seed 1")
    assert place(study, study.folder / "finish-2", both, second).name == "final-77"
    assert place(study, study.folder / "other", both, second).name == "final-other-77"
    assert place(study, study.folder / "other", both, member).name == f"final-{member.number}"


def test_each_export_is_counted_among_the_readings_of_the_test_split(study):
    for name in ("final", "final-other", "best"):
        exported(study.folder / name, finish="finish-2, trial 5, architecture x, seed 1")
    readings = composition(Study.read(study.folder), importance=False).numbers.provenance.test_readings
    assert readings == {"finish of network 5": 2, "export of the best network": 1}


# What is said


def test_a_finish_says_what_it_trains_by_which_recipe_and_what_is_next(finished, tmp_path, capsys):
    folder = Path(shutil.copytree(finished, tmp_path / "s"))
    assert main(["finish", str(folder), "--epochs", "3", "--seeds", "2"]) == 0
    said = capsys.readouterr().out
    number = FinishSettings.read(folder / "finish-3").members[0].number
    assert f"network   network {number} (--trial {number}): " in said
    assert "recipe    that of the study (short), 3 epochs (the search: 2)" in said
    assert "trial" not in said.replace(f"(--trial {number})", "")
    assert f"wrote     {folder / 'final'} (card.md tells" in said
    for command in ("next      igcnas predict", "          igcnas evaluate", "          igcnas report"):
        assert f"{command} {folder} " in said
    assert "recipe that of the study (short), 3 epochs, seed 0" in (folder / "final" / "card.md").read_text()


def test_a_recipe_that_was_asked_for_has_its_own_name(study):
    settings = settings_of(study)
    own = dataclasses.replace(settings.recipe, name="mine", source="me")
    assert dataclasses.replace(settings, recipe=own).recipe_words == "mine, 2 epochs"


def test_progress_names_networks_as_the_search_does(study, tmp_path):
    settings = settings_of(study, teacher="4x")
    number = settings.asked[0].number
    (first,) = untaught(tmp_path, settings).trainings
    (second,) = taught(tmp_path, settings).trainings
    assert first.title == f"network {number} at 4x, seed 0 (to teach)"
    assert second.title == f"network {number} (--trial {number}), seed 0"


# By balanced accuracy


def by_class(**other: Any) -> Finished:
    """90 images of one class, 10 of another; the long training answers half of the second rightly, the search none."""
    counts = ByClass(short_right=(90, 0), right=((88, 5), None), gained=(0, 5), lost=(2, 0))
    values = {"member": "trial 0", "images": 100, "short_right": 90, "right": (93, None), "gained": 5, "lost": 2}
    return Finished(**(values | {"class_images": (90, 10), "by_class": counts} | other))


def test_a_balanced_accuracy_is_the_mean_over_classes_with_the_interval_of_the_effective_images():
    found = by_class()
    assert found.short == pytest.approx(50.0)
    assert found.accuracies == pytest.approx([100 * (88 / 90 + 5 / 10) / 2])
    assert found.gain == pytest.approx(100 * (5 / 10 - 2 / 90) / 2)
    assert found.plain_accuracies == [93.0]
    assert found.error == pytest.approx(balanced_standard_error((90, 10), (88, 5)))
    images = effective_images((90, 10))
    low, high = paired_shares_interval(images * 0.25, images / 90, images)
    assert found.interval == pytest.approx((100 * low, 100 * high))
    plain = by_class(by_class=None)
    assert (plain.short, plain.accuracies, plain.gain) == (90.0, [93.0], 3.0)


def test_a_study_of_balanced_accuracy_is_finished_by_it(study, tmp_path):
    training = dataclasses.replace(study.settings.training, metric=BALANCED)
    searched = dataclasses.replace(study, settings=dataclasses.replace(study.settings, training=training))
    settings = settings_of(searched, epochs=1)
    (member,) = settings.asked
    results = {member.name: untaught(tmp_path, settings).run(here(searched), Silent())}
    (found,) = measured(searched, tmp_path, settings, results)
    assert read_finished(tmp_path) == [found]
    split = study.data.load_test()
    checkpoint = Checkpoint.read(tmp_path / f"{member.stem}-seed0.safetensors")
    right = _right(checkpoint.architecture, checkpoint, split)
    recalls = [right[split.labels == label].mean() for label in range(10)]
    assert found.first == pytest.approx(100 * np.mean(recalls))
    assert found.first != pytest.approx(100 * right.mean())
    report = hand_over(searched, tmp_path, settings, member, results=results[member.name], tested=found)
    card = (study.folder / "final" / "card.md").read_text(encoding="utf-8")
    assert f"| test balanced accuracy | {found.first:.2f} % +- {found.error:.2f} (one standard error, " in card
    assert f"{found.gain:+.2f} points of balanced accuracy" in card
    (tested,) = exports_of(study.folder)
    assert tested.words().startswith(f"balanced accuracy {found.first:.2f} % +- {found.error:.2f} (")
    assert tested.words().endswith(f"; {report.accuracies['lowered']:.2f} % +- {tested.error:.2f} of all images right")
    said = text([found], settings)
    assert said.startswith("network  search, balanced %  finished, balanced %")
    assert f"The finished weights answer {100 * right.mean():.2f} % of all images rightly." in said


def test_the_share_of_the_largest_class_stands_beside_an_unbalanced_result():
    always = "balance   answering 'cat' always would score 90.00 % of the 100 test images"
    assert balance_line([by_class()], ("cat", "dog")) == [f"{always}, a balanced accuracy of 50.00 %"]
    assert balance_line([by_class(by_class=None)], ("cat", "dog")) == [always]
    assert balance_line([by_class(class_images=(50, 50), by_class=None)], ("cat", "dog")) == []
    assert balance_line([by_class(class_images=(), by_class=None)], ("cat", "dog")) == []


def test_a_test_from_before_classes_were_counted_is_read(tmp_path):
    written = {"member": "trial 0", "images": 100, "short_right": 50, "right": [60], "gained": 15, "lost": 5}
    (tmp_path / "test.json").write_text(json.dumps({"tested": [written]}), encoding="utf-8")
    (found,) = read_finished(tmp_path) or []
    assert (found.first, found.class_images, found.by_class) == (60.0, (), None)


@pytest.mark.parametrize(
    "other",
    [
        {"class_images": (90, 9)},
        {"right": (92, None)},
        {"right": (93, 93)},
        {"gained": 4},
        {"class_images": (100,)},
        {"by_class": ByClass(short_right=(80, 10), right=((88, 5), None), gained=(-1, 6), lost=(2, 0))},
    ],
)
def test_counts_of_classes_that_do_not_add_up_are_damage(other, tmp_path):
    written = {"tested": [dataclasses.asdict(by_class(**other))]}
    (tmp_path / "test.json").write_text(json.dumps(written), encoding="utf-8")
    with pytest.raises(StudyError, match=r"test\.json is damaged: its counts of classes"):
        read_finished(tmp_path)


# Who teaches


def test_a_wider_teacher_is_trained_first_and_not_handed_over(study, capsys):
    words = ["--teacher", "4x", "--epochs", "2", "--name", "taught", "--workers", "1", "--json"]
    assert main(["finish", str(study.folder), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    settings = FinishSettings.read(study.folder / "taught")
    pupil, teaching = settings.members
    assert pupil.teacher == teaching.name
    assert 1.5 < count(teaching.architecture).macs / count(pupil.architecture).macs <= 4
    assert [row["id"] for row in found["networks"]] == [pupil.architecture.id]
    assert "taught by" in (study.folder / "final" / "card.md").read_text(encoding="utf-8")


def test_the_usual_teacher_is_a_wider_network_where_there_are_many_images(study, monkeypatch):
    asked = {"trials": None, "front": None, "epochs": 2, "seeds": 1, "teacher": "usual"}
    assert chosen(study, recipe=None, **asked).taught == "none"  # the digits are few
    monkeypatch.setattr(plan, "_MANY_IMAGES", 1_000)
    found = chosen(study, recipe=None, **asked)
    assert found.taught == "4x"
    assert found.recipe.distillation == 0.5
    assert chosen(study, recipe="resnet-cifar", **asked).taught == "none"  # what it gains there is not measured
    monkeypatch.setattr(teacher, "_wider", refused)
    assert chosen(study, recipe=None, **asked).taught == "none"  # it cannot be made wider


def refused(*_: object) -> None:
    raise StudyError("cannot be made wider")


def test_a_finish_that_was_begun_untaught_goes_on_so(study, monkeypatch, capsys):
    words = ["finish", str(study.folder), "--epochs", "1", "--workers", "1", "--json"]
    assert main([*words, "--teacher", "none"]) == 0
    first = json.loads(capsys.readouterr().out)
    monkeypatch.setattr(plan, "_MANY_IMAGES", 1_000)
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["networks"] == first["networks"]


def test_the_teacher_of_the_study_costs_more_and_is_more_accurate(study):
    for one in study.networks:
        for found in teachers_of(study, [one], "auto").values():
            taught_by = next(other for other in study.networks if other.record.number == found.number)
            assert taught_by.record.final_macs > one.record.final_macs
            assert taught_by.mean > one.mean
    assert teachers_of(study, [max(study.networks, key=lambda one: one.record.final_macs)], "auto") == {}


def test_who_teaches_is_not_taught(study):
    numbers = [one.record.number for one in study.networks]
    teachers = teachers_of(study, study.networks, str(numbers[0]))
    assert set(teachers) == set(numbers[1:])
    members = members_of(study.networks, teachers)
    assert len(members) == len(numbers)
    assert [member.teacher for member in members if member.number == numbers[0]] == [None]


@pytest.mark.parametrize("words", ["1x", "0.5x", "101x", "x", "-3", "best", ""])
def test_a_teacher_that_cannot_be_is_refused(words):
    with pytest.raises(IgcnasError, match="--teacher"):
        check_teacher(words)


def test_a_space_that_has_changed_cannot_make_a_network_wider(study):
    path = study.folder / "settings.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    data["space"]["depths"] = [1, 2]
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(StudyError, match="not what the study was searched with"):
        teachers_of(Study.read(study.folder), some_of_the_front(study, 1), "4x")


# Which networks


def test_some_of_the_front_are_the_most_accurate_and_others_along_it(study):
    front = list(study.front)[::-1]
    assert some_of_the_front(study, 1) == front[:1]
    assert some_of_the_front(study, 99) == front
    if len(front) > 2:
        assert some_of_the_front(study, 2) == [front[0], front[-1]]


def test_several_go_to_folders_of_their_own(study, capsys):
    numbers = [str(one.record.number) for one in study.networks[:2]]
    words = [word for number in numbers for word in ("--trial", number)]
    assert main(["finish", str(study.folder), *words, "--epochs", "1", "--workers", "1"]) == 0
    for number in numbers:
        assert (study.folder / f"final-{number}" / "model.onnx").is_file()
    assert not (study.folder / "final").exists()
    capsys.readouterr()


# Killed and damaged


def test_a_finish_that_is_stopped_anywhere_goes_on_to_the_same_bits(study, tmp_path):
    settings = settings_of(study, teacher="4x", epochs=2)
    whole = tmp_path / "whole"
    whole.mkdir()
    for make in (untaught, taught):
        make(whole, settings).run(here(study), Silent())
    torn = tmp_path / "torn"
    torn.mkdir()
    stops = 0
    for make in (untaught, taught):
        while True:
            asked = iter(range(12))
            try:
                make(torn, settings).run(here(study, stop=lambda asked=asked: next(asked, None) is None), Silent())
                break
            except Interrupted:
                stops += 1
    assert stops > 2
    names = sorted(path.name for path in whole.glob("*.safetensors"))
    assert len(names) == 2
    for name in names:
        assert (torn / name).read_bytes() == (whole / name).read_bytes()


def test_a_training_whose_weights_are_gone_is_done_again(study, tmp_path):
    settings, notes = settings_of(study, epochs=1), []
    untaught(tmp_path, settings).run(here(study), Silent())
    (file,) = tmp_path.glob("*.safetensors")
    before = file.read_bytes()
    file.unlink()
    campaign = untaught(tmp_path, settings, note=notes.append)
    assert len(campaign.missing()) == 1
    assert "is missing" in notes[0]
    campaign.run(here(study), Silent())
    assert file.read_bytes() == before


def test_the_first_seed_that_gave_a_network_is_handed_over(study, tmp_path):
    settings = settings_of(study, epochs=1, seeds=2)
    results = untaught(tmp_path, settings).run(here(study), Silent())
    lost = dataclasses.replace(results[0], failed="diverged", train_loss=None)
    name = settings.members[0].name
    (found,) = measured(study, tmp_path, settings, {name: [lost, results[1]]})
    assert found.right[0] is None
    assert found.first == 100 * (found.right[1] or 0) / found.images
    (tmp_path / "test.json").unlink()
    with pytest.raises(StudyError, match=r"no long training of trial .* gave a network: diverged"):
        measured(study, tmp_path, settings, {name: [lost, lost]})


def test_settings_that_were_written_are_those_that_are_read(study, tmp_path):
    settings = settings_of(study, teacher="4x")
    assert guard(tmp_path, settings) == settings
    assert FinishSettings.read(tmp_path) == settings
    assert guard(tmp_path, dataclasses.replace(settings, members=settings.members[:1])) == settings


def test_damaged_settings_are_named(study, tmp_path):
    guard(tmp_path, settings_of(study))
    path = tmp_path / "finish.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"asked": true', '"asked": 7'), encoding="utf-8")
    with pytest.raises(StudyError, match=r"finish\.json .*damaged"):
        FinishSettings.read(tmp_path)


def test_an_export_of_another_finish_is_made_again(finished, tmp_path):
    study, settings = Study.read(finished), FinishSettings.read(finished / "finish-3")
    (member,) = settings.members
    assert is_there(study, finished / "finish-3", settings, member)
    assert not is_there(study, finished / "finish-4", settings, member)


# After a search


def test_a_search_finishes_its_leader_where_it_is_asked_to(tmp_path):
    words = [*SEARCH.replace("--networks 4", "--networks 1").split(), "--finish", "--json", "--study", "s"]
    script = "import igcnas.results.finishing.plan as plan; plan._EPOCHS = 2"
    script += "\nfrom igcnas.cli import main\nraise SystemExit(main())"
    command = [sys.executable, "-c", script, "search", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ}, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["finished"]["epochs"] == 2
    assert (tmp_path / result["finished"]["networks"][0]["export"] / "model.onnx").is_file()


def test_a_front_of_nothing_is_refused(study, capsys):
    for words in (["--front", "0"], ["--seeds", "0"], ["--epochs", "0"], ["--trial", "9999"]):
        assert main(["finish", str(study.folder), *words]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_the_gain_of_one_seed_has_no_deviation():
    one = Finished(member="trial 1", images=100, short_right=50, right=(60,), gained=15, lost=5)
    assert one.sd is None
    assert one.gain == 10.0
    assert one.mean == one.first == 60.0


def test_a_quiet_finish_prints_its_result_alone(finished, tmp_path, capsys):
    folder = str(shutil.copytree(finished, tmp_path / "s"))
    assert main(["finish", folder, "--epochs", "3", "--seeds", "2", "--quiet"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("network  search %  finished %")
    assert said.err == ""
    assert main(["finish", folder, "--epochs", "3", "--seeds", "2", "--quiet", "--json"]) == 0
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert said.err == ""


def test_both_trainings_are_tested_with_the_norm_epsilon_of_their_recipes(study, tmp_path, monkeypatch):
    recipe = recipe_for(study.settings.training)
    own = dataclasses.replace(recipe, norm=dataclasses.replace(recipe.norm, epsilon=0.25))
    training = dataclasses.replace(study.settings.training, recipe=own.to_dict())
    searched = dataclasses.replace(study, settings=dataclasses.replace(study.settings, training=training))
    settings = settings_of(searched, epochs=1)
    campaign = untaught(tmp_path, settings)
    results = campaign.run(here(searched), Silent())
    used = []

    def seen(network: nn.Module, epsilon: float) -> None:
        set_epsilon(network, epsilon)
        used.extend({module.eps for module in network.modules() if isinstance(module, nn.BatchNorm2d)})

    monkeypatch.setattr("igcnas.results.finishing.testing.set_epsilon", seen)
    measured(searched, tmp_path, settings, {settings.asked[0].name: results})
    assert used == [0.25, 0.25]  # the long training, and that of the search


def test_a_finish_says_that_its_accuracies_are_plain_where_the_study_compares_by_balanced_ones(study):
    settings = settings_of(study)
    balanced = dataclasses.replace(settings, training=dataclasses.replace(settings.training, metric=BALANCED))
    found = [Finished(member="trial 0", images=100, short_right=50, right=(60,), gained=15, lost=5)]
    said = "They are plain accuracies; the study compares networks by balanced accuracy."
    assert said in notes(found, balanced)
    assert said not in notes(found, settings)
