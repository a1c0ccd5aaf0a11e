"""The Python interface: what the shell can, by one line each, on data that a program holds."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

import igcnas
from igcnas.api.notebook import LiveSearch
from igcnas.api.pictures import as_spec
from igcnas.api.study import SearchedStudy
from igcnas.api.words import parsed, words_of
from igcnas.data.loading import load_dataset
from igcnas.errors import DataError, IgcnasError, StudyError
from igcnas.search.records import TrialRecord
from igcnas.search.study import Study

pytestmark = pytest.mark.usefixtures("forked_workers")

SMALL: dict[str, Any] = {"epochs": 2, "seeds": 1, "no_baselines": True, "no_export": True, "workers": 1, "seed": 3}
DIGITS = load_dataset("digits")


class Diary(igcnas.Callback):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def search_began(self, folder: Path) -> None:
        self.events.append(("search began", folder.name))

    def trial_began(self, trial: TrialRecord) -> None:
        self.events.append(("began", trial.number))

    def epoch_ended(self, trial: TrialRecord, epoch: Any) -> None:
        self.events.append(("epoch", trial.number, epoch.epoch, epoch.val_accuracy))

    def trial_ended(self, trial: TrialRecord) -> None:
        self.events.append(("ended", trial.number, trial.val_accuracy))

    def search_ended(self, study: Study) -> None:
        self.events.append(("search ended", len(study.records)))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[SearchedStudy, Diary]:
    root, diary = tmp_path_factory.mktemp("studies"), Diary()
    few = slice(None, None, 4)
    images, labels = DIGITS.train.images[few], DIGITS.train.labels[few]
    data = {"train": (images, labels), "test": (DIGITS.train.images[1::4], DIGITS.train.labels[1::4])}
    names = [f"digit {number}" for number in range(10)]
    study = igcnas.search(
        data, budget_mflops=0.05, networks=3, studies_dir=root, classes=names, callbacks=[diary], study="s", **SMALL
    )
    return study, diary


# Public names


def test_every_public_name_is_there_and_documented():
    text = (Path(igcnas.__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")
    for name in igcnas.__all__:
        assert inspect.getdoc(getattr(igcnas, name)) or name == "__version__", name
        assert f"`{name}`" in text or f"igcnas.{name}" in text, name


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        _ = igcnas.serach


def test_importing_the_package_loads_neither_torch_nor_optuna():
    script = "import sys, igcnas; print({'torch', 'optuna', 'matplotlib', 'pandas'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "set()"


def test_the_package_of_the_search_can_be_called_whoever_imported_it_first():
    script = "import igcnas.search.study, igcnas, inspect; print(list(inspect.signature(igcnas.search).parameters)[0])"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "data"


# Searching


def test_a_search_of_arrays_is_a_study_that_every_command_opens(searched):
    study, _ = searched
    again = igcnas.open_study(study.folder)
    assert again.leader.number == study.leader.number
    assert len(again.trials) == 3
    assert Study.read(study.folder).data.classes == tuple(f"digit {number}" for number in range(10))
    assert again.leader.macs <= 50_000


def test_callbacks_hear_every_event_in_order(searched):
    study, diary = searched
    expected: list[tuple[Any, ...]] = [("search began", "s")]
    for trial in study.trials:
        expected.append(("began", trial.number))
        expected += [("epoch", trial.number, epoch, accuracy) for epoch, _, accuracy in trial.curve]
        expected.append(("ended", trial.number, trial.val_accuracy))
    assert diary.events == [*expected, ("search ended", 3)]


def test_the_same_call_goes_on_where_it_stopped(searched, tmp_path):
    class Enough(igcnas.Callback):
        def trial_ended(self, trial: TrialRecord) -> None:
            raise RuntimeError("enough")

    how = {"budget_mflops": 0.05, "networks": 2, "studies_dir": tmp_path, "progress": False, **SMALL}
    with pytest.raises(RuntimeError, match="enough"):
        igcnas.search("digits", callbacks=[Enough()], **how)
    (folder,) = [path.parent for path in tmp_path.glob("*/settings.json")]
    assert len(igcnas.open_study(folder).networks) == 1
    study = igcnas.search("digits", **how)
    assert len(study.networks) == 2
    assert study.folder == folder


def test_without_progress_nothing_is_printed_but_what_a_callback_prints(tmp_path, capsys):
    class Speaks(igcnas.Callback):
        def trial_ended(self, trial: TrialRecord) -> None:
            sys.stdout.write(f"trial {trial.number}\n")

    how = {"budget_mflops": 0.05, "networks": 1, "studies_dir": tmp_path, "callbacks": [Speaks()]}
    igcnas.search("digits", progress=False, **how, **SMALL)
    assert capsys.readouterr().out == "trial 0\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget_mflop": 1}, "no option 'budget_mflop'; did you mean budget_mflops"),
        ({"budget": 1}, "no option 'budget'; did you mean budget_mflops"),
        ({}, "needs a budget: give budget_mflops=N, .* or budget_params=N"),
        ({"budget_mflops": -1}, "budget"),
        ({"budget_mflops": 1, "space": "igcv9"}, "unknown search space 'igcv9'"),
        ({"budget_mflops": 1, "data": "digit"}, "digit"),
        ({"budget_mflops": 1, "networks": "many"}, "invalid int value: 'many'"),
    ],
)
def test_what_the_shell_refuses_is_refused_in_the_same_words(options, said, tmp_path):
    with pytest.raises(IgcnasError, match=said):
        igcnas.search(studies_dir=tmp_path, **options)
    assert not list(tmp_path.glob("*/settings.json"))


def test_a_study_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StudyError, match="no study"):
        igcnas.open_study("nothing", studies_dir=tmp_path)


def test_options_are_the_words_of_the_shell():
    asked = {"image_size": 32, "data_dir": Path("a b"), "no_export": True, "finish": False, "study": None}
    assert words_of(asked) == ["--image-size=32", "--data-dir=a b", "--no-export"]
    assert parsed("finish", ["x"], {"trial": [1, 2]}).trial == [1, 2]


# What a study gives


def test_tables_hold_a_row_a_trial_a_network_or_an_epoch(searched):
    study, _ = searched
    assert len(study.frame()) == 3
    assert len(study.frame("networks")) == len(study.networks)
    assert len(study.frame("curves")) == 6
    with pytest.raises(IgcnasError, match="'trials', 'networks', 'curves'"):
        study.frame("rows")


def test_pictures_are_those_of_the_commands(searched, tmp_path):
    study, _ = searched
    assert study.plot().axes[0].get_xlabel().startswith("MFLOPs")
    for picture in (study.draw(), study.draw_block(study.trials[0].number)):
        assert picture._repr_svg_().startswith("<svg")
        assert picture.save(tmp_path / "x.svg").read_text(encoding="utf-8") == picture.svg


def test_a_notebook_shows_the_leader_the_front_and_a_block(searched):
    page = searched[0]._repr_html_()
    assert searched[0].leader.architecture.title() in page
    assert "<svg" in page
    assert "data:image/png;base64," in page


def test_a_study_with_no_network_says_so(searched, tmp_path):
    bare = Study.of(searched[0].folder, Study.read(searched[0].folder).settings, [])
    study = SearchedStudy(bare)
    assert study.leader is None
    assert "no network was trained" in study._repr_html_()


def test_report_and_export_give_the_paths_of_what_they_wrote(searched, tmp_path, capsys):
    study, _ = searched
    assert study.report(tmp_path / "page.html").is_file()
    assert (study.export() / "model.onnx").is_file()
    assert capsys.readouterr().out == ""


def test_a_finished_network_answers_images(searched):
    study, _ = searched
    network = study.finish(epochs=1, workers=1)
    record = json.loads((study.folder / "final" / "architecture.json").read_text(encoding="utf-8"))
    assert record["id"] == study.leader.architecture.id
    (answer,) = network.predict(DIGITS.train.images[:1], top=3)
    assert len(answer.classes) == 3
    assert answer.best in network.classes


# Data


class Pictures(Dataset):  # type: ignore[type-arg]
    """Items of any form."""

    def __init__(self, make: Any, count: int = 12) -> None:
        self.make, self.count = make, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Any, int]:
        pixels = np.full((6, 6, 3), 20 * index, np.uint8)
        pixels[0, 0] = index, 2 * index, 3 * index
        return self.make(pixels), index % 3


def test_a_dataset_of_any_form_is_read_as_the_same_pixels(tmp_path):
    forms = {
        "array": lambda pixels: pixels,
        "picture": Image.fromarray,
        "bytes first": lambda pixels: torch.from_numpy(pixels).permute(2, 0, 1),
        "floats": lambda pixels: torch.from_numpy(pixels).permute(2, 0, 1).float() / 255,
    }
    read = {}
    for name, make in forms.items():
        spec = as_spec({"train": Pictures(make), "test": Pictures(make, 6)}, tmp_path / name.replace(" ", ""))
        read[name] = load_dataset(spec)
    first = read.pop("array")
    assert first.train.images.shape == (12, 3, 6, 6)
    for name, other in read.items():
        assert np.array_equal(first.train.images, other.train.images), name
        assert np.array_equal(first.load_test().images, other.load_test().images), name


def test_the_names_of_classes_are_those_that_a_dataset_has(tmp_path):
    pictures = Pictures(lambda pixels: pixels)
    pictures.classes = ["cat", "dog", "eel"]  # type: ignore[attr-defined]
    assert load_dataset(as_spec(pictures, tmp_path)).classes == ("cat", "dog", "eel")
    assert load_dataset(as_spec(pictures, tmp_path, classes=("a", "b", "c"))).classes == ("a", "b", "c")


def test_the_same_data_are_the_same_file_and_other_data_another(tmp_path):
    images, labels = DIGITS.train.images[:40], DIGITS.train.labels[:40]
    first, again = (as_spec((images, labels), tmp_path) for _ in range(2))
    assert first == again
    assert as_spec((images, labels[::-1]), tmp_path) != first
    assert as_spec((images, labels), tmp_path, classes=[f"c{i}" for i in range(10)]) != first
    assert as_spec("digits", tmp_path) == "digits"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"test": (np.zeros((2, 4, 4)), [0, 1])}, "no 'train'"),
        ({"train": (np.zeros((2, 4, 4)), [0, 1]), "extra": 1}, "'extra'"),
        ({"train": 3}, "int; give"),
        (3, "int; give"),
        ([(np.zeros((4, 4)), 0), (np.zeros((5, 4)), 1)], "image 1 of data\\['train'\\] has shape \\(5, 4\\)"),
        ([np.zeros((4, 4))], "no pair of image and label"),
        ([], "holds no image"),
    ],
)
def test_data_that_cannot_be_is_refused_in_one_line(data, said, tmp_path):
    with pytest.raises(DataError, match=said) as caught:
        as_spec(data, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [["a", "b"], ["a", "a", "b"], [["a"], ["b"], ["c"]]])
def test_names_that_are_not_one_for_each_class_are_refused(names, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros((30, 4, 4), np.uint8), y=np.arange(30) % 3, class_names=np.array(names))
    with pytest.raises(DataError, match="must be 3 different texts"):
        load_dataset(f"npz:{tmp_path / 'x.npz'}")


# In a notebook


def test_the_live_display_says_how_far_it_is_and_who_leads(searched, monkeypatch):
    shown: list[str] = []
    live = LiveSearch(4)
    monkeypatch.setattr(live, "_show", lambda **_often: shown.append(live.html()))
    study, _ = searched
    live.search_began(study.folder)
    for trial in study.trials:
        live.trial_began(trial)
        assert "in training" in shown[-1]
        live.trial_ended(trial)
    assert "3 of 4 networks" in shown[-1]
    best = max(study.trials, key=lambda trial: trial.val_accuracy)
    assert f"<b>{best.val_accuracy:.2f} %</b>" in shown[-1]
