"""Pictures that belong together stay on one side of every split that igcnas makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from igcnas.cli import main
from igcnas.data.dataset import Dataset
from igcnas.data.examination import examine
from igcnas.data.groups import grouped
from igcnas.data.loading import load_dataset
from igcnas.data.splitting import grouped_indices
from igcnas.errors import DataError
from igcnas.training.runs.data import open_data

PATTERN = r"patient(\d+)_"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IGCNAS_CACHE", str(tmp_path / "cache"))


# The split


@st.composite
def images(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels and groups: some groups of several images of one or several classes, some images alone."""
    classes = draw(st.integers(2, 4))
    labels, groups = [], []
    for group in range(draw(st.integers(3, 25))):
        size = draw(st.integers(1, 6))
        own = draw(st.integers(0, classes - 1))
        mixed = draw(st.booleans())
        labels += [draw(st.integers(0, classes - 1)) if mixed else own for _ in range(size)]
        groups += [group] * size
    return np.unique(np.array(labels), return_inverse=True)[1].astype(np.int64), np.array(groups, np.int64)


fractions = st.sampled_from((0.1, 0.2, 0.25, 0.5))


@given(images(), fractions, st.integers(0, 5))
def test_no_group_is_on_two_sides_and_no_image_is_lost(made, fraction, seed):
    labels, groups = made
    try:
        stay, leave = grouped_indices(labels, groups, fraction=fraction, seed=seed)
    except DataError:  # every class lies in one group
        counts = [len(np.unique(groups[labels == label])) for label in np.unique(labels)]
        assume(min(counts) > 1)
        raise
    assert not set(groups[stay]) & set(groups[leave])
    assert sorted([*stay, *leave]) == list(range(len(labels)))
    assert set(labels[stay]) == set(labels)  # each class is trained on


@given(images(), fractions, st.integers(0, 5))
def test_the_same_seed_gives_the_same_split_whatever_the_groups_are_called(made, fraction, seed):
    labels, groups = made
    try:
        first = grouped_indices(labels, groups, fraction=fraction, seed=seed)
    except DataError:
        assume(False)
    again = grouped_indices(labels, 7 * groups + 3, fraction=fraction, seed=seed)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


@given(images(), fractions, st.integers(0, 5))
def test_where_any_split_has_every_class_on_both_sides_this_one_has(made, fraction, seed):
    labels, groups = made
    few = groups < 8
    labels, groups = np.unique(labels[few], return_inverse=True)[1], groups[few]
    table = np.zeros((groups.max() + 1, labels.max() + 1), int)
    np.add.at(table, (groups, labels), 1)
    sides = ((np.arange(2 ** len(table))[:, None] >> np.arange(len(table))) & 1) @ table
    assume(((sides > 0) & (sides < table.sum(0))).all(1).any())
    stay, leave = grouped_indices(labels, groups, fraction=fraction, seed=seed)
    assert set(labels[stay]) == set(labels[leave]) == set(labels)


@given(st.integers(2, 5), st.integers(8, 20), st.integers(1, 4), fractions, st.integers(0, 9))
def test_of_many_small_groups_shares_are_near_the_asked_and_each_class_is_on_both_sides(
    classes, each, size, fraction, seed
):
    labels = np.repeat(np.arange(classes), each * size)
    groups = np.repeat(np.arange(classes * each), size)
    _, leave = grouped_indices(labels, groups, fraction=fraction, seed=seed)
    for label in range(classes):
        left = (labels[leave] == label).sum()
        assert 0 < left < each * size
        assert abs(left - fraction * each * size) <= size


@given(st.integers(2, 30), fractions, st.integers(0, 9))
def test_images_that_are_all_alone_are_split_as_exactly_as_without_groups(each, fraction, seed):
    labels = np.repeat(np.arange(3), each)
    _, leave = grouped_indices(labels, np.arange(len(labels)), fraction=fraction, seed=seed)
    expected = np.clip(np.floor(each * fraction + 0.5), 1, each - 1)
    assert np.bincount(labels[leave], minlength=3).tolist() == [expected] * 3


def test_another_seed_draws_other_groups():
    labels, groups = np.repeat(np.arange(2), 60), np.repeat(np.arange(30), 4)
    drawn = {tuple(grouped_indices(labels, groups, fraction=0.25, seed=seed)[1]) for seed in range(5)}
    assert len(drawn) > 1


def test_a_class_in_one_group_is_trained_on():
    labels = np.array([0] * 20 + [1] * 5, np.int64)
    groups = np.array([*range(20), *[20] * 5], np.int64)
    stay, leave = grouped_indices(labels, groups, fraction=0.25, seed=0)
    assert set(labels[leave]) == {0}
    assert set(labels[stay]) == {0, 1}


def test_one_group_for_all_and_classes_of_one_group_each_are_refused_in_one_line():
    labels = np.array([0, 0, 1, 1], np.int64)
    with pytest.raises(DataError, match="all 4 images are of one group, so that none can be put aside; give"):
        grouped_indices(labels, np.zeros(4, np.int64), fraction=0.25, seed=0)
    with pytest.raises(DataError, match="leaves a class without any to train on; give"):
        grouped_indices(labels, labels, fraction=0.25, seed=0)


# What a user gives


def folder(root: Path, *parts: str, patients: int = 10, each: int = 3) -> Path:
    """Pictures that all differ; every patient has some of one class, in the given parts."""
    value = 0
    for part in parts:
        for patient in range(patients):
            name = ("cat", "dog")[patient % 2]
            (root / part / name).mkdir(parents=True, exist_ok=True)
            for i in range(each):
                Image.new("RGB", (4, 4), (value % 256, value // 256, 7)).save(
                    root / part / name / f"patient{patient}_{i}.png"
                )
                value += 1
    return root


def patients_of(found: Dataset) -> tuple[set[int], set[int], set[int]]:
    """By the pixels, which tell the picture: of training, validation and test."""

    def patients(split) -> set[int]:
        values = split.images[:, 0, 0, 0].astype(int) + 256 * split.images[:, 1, 0, 0].astype(int)
        return set((values // 3).tolist())

    train, validation = found.split(fraction=0.3, seed=1)
    return patients(train), patients(validation), patients(found.load_test())


def test_by_a_pattern_of_the_name_no_patient_is_in_two_splits(tmp_path):
    root = folder(tmp_path / "photos", ".")
    found = load_dataset(f"imagefolder:{root}", groups=PATTERN)
    train, validation, test = patients_of(found)
    assert all((train, validation, test))
    assert not any((train & validation, train & test, validation & test))
    assert "10 groups of pictures that stay on one side of a split" in found.origin.notes
    apart = load_dataset(f"imagefolder:{root}")
    assert apart.fingerprint() != found.fingerprint()
    train, validation, test = patients_of(apart)
    assert train & test  # without groups it leaks: what is tested here can fail


def test_a_table_says_the_same_as_a_pattern_and_pictures_that_it_does_not_name_are_alone(tmp_path):
    root = folder(tmp_path / "photos", ".")
    pictures = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    rows = [f"{picture},{picture.split('patient')[1].split('_')[0]}" for picture in pictures]
    table = tmp_path / "groups.csv"
    table.write_text("\n".join(["picture,group", *rows]), encoding="utf-8")
    by_table = load_dataset(f"imagefolder:{root}", groups=str(table))
    assert by_table.fingerprint() == load_dataset(f"imagefolder:{root}", groups=PATTERN).fingerprint()
    table.write_text("\n".join(["group;x,Picture,GROUP", *("a," + row for row in rows[:-2])]), encoding="utf-8")
    found = load_dataset(f"imagefolder:{root}", groups=str(table))
    assert "10 groups of pictures that stay on one side of a split; 2 pictures of no group" in found.origin.notes


def test_splits_of_ones_own_that_share_a_group_stay_and_that_is_said(tmp_path):
    root = folder(tmp_path / "photos", "train", "val", "test")
    found = load_dataset(f"imagefolder:{root}", groups=PATTERN)
    notes = examine(found, fraction=0.25, seed=0).notes
    for pair in ("train/ and in val/", "train/ and in test/", "val/ and in test/"):
        assert f"10 groups, such as '0', are in {pair}: the accuracy there flatters" in notes
    assert found.own_validation == 30


def test_groups_too_large_for_the_share_are_said(tmp_path):
    root = folder(tmp_path / "photos", "train", "test", patients=4, each=4)
    (root / "test" / "cat" / "patient9_0.png").write_bytes((root / "test" / "cat" / "patient0_0.png").read_bytes())
    notes = examine(load_dataset(f"imagefolder:{root}", groups=PATTERN), fraction=0.1, seed=0).notes
    assert "groups are so large that 50% of the images are to validate on, where 10% were asked for" in notes


def test_a_streamed_folder_is_split_by_the_same_groups(tmp_path):
    root = folder(tmp_path / "photos", ".")
    spec = f"imagefolder:{root}"
    streamed = open_data(spec, image_size=4, stream=True, groups=PATTERN)
    first, second = streamed.folder.split(fraction=0.3, seed=1)  # type: ignore[attr-defined]
    assert not set(first.groups.tolist()) & set(second.groups.tolist())
    assert streamed.fingerprint() != open_data(spec, image_size=4, stream=True).fingerprint()


def test_the_arrays_of_a_file_are_split_by_an_array_of_groups(tmp_path):
    random = np.random.default_rng(0)
    groups = np.repeat([f"p{n}" for n in range(12)], 5)
    images = random.integers(0, 256, (60, 4, 4), np.uint8)
    images[:, 0, 0] = np.repeat(np.arange(12), 5)
    np.savez(tmp_path / "few.npz", x=images, y=np.tile(np.arange(2), 30), patients=groups)
    found = load_dataset(f"npz:{tmp_path / 'few.npz'}", groups="patients")
    sides = [
        set(split.images[:, 0, 0, 0].tolist()) for split in (*found.split(fraction=0.3, seed=0), found.load_test())
    ]
    assert not any((sides[0] & sides[1], sides[0] & sides[2], sides[1] & sides[2]))
    assert found.origin.left_out == ()
    with pytest.raises(DataError, match="unknown array of groups 'patient'; did you mean 'patients'"):
        load_dataset(f"npz:{tmp_path / 'few.npz'}", groups="patient")
    with pytest.raises(DataError, match=r"'x' .* is uint8 of shape \(60, 4, 4\); store the group of each of the 60"):
        load_dataset(f"npz:{tmp_path / 'few.npz'}", groups="x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "picture,group\ncat/none.png,1\n",
            "names 1 picture that the data folder does not have, such as 'cat/none.png'",
        ),
        ("picture,group\na.png,1\na.png,2\n", "puts 'a.png' into two groups, '1' and '2'; keep one"),
        ("picture,group\na.png,\n", "has a line without a picture or without a group: 'a.png,'"),
        ("picture,group\na.png\n", "has a line without a picture or without a group: 'a.png'"),
        ("a.png,1\n", "has 'a.png', '1' where the columns picture and group must be named"),
        ("", "has no line where the columns picture and group must be named"),
        ("picture,group\n", "finds a group for none of the 1 pictures, such as 'a.png'"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line_with_the_way_out(content, message, tmp_path):
    path = tmp_path / "g.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as error:
        grouped(str(path), ["a.png"])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"patient(\d+", "is no regular expression (missing ), unterminated subpattern at position 7)"),
        (r"patient\d+", "has no parentheses around the name of the group"),
        (r"patient(\d*)", "finds an empty name of a group in 'cat/patient_1.png'"),
        (r"dog(\d)", "finds a group for none of the 1 pictures, such as 'cat/patient_1.png'"),
    ],
)
def test_a_pattern_that_does_not_fit_is_one_line_with_the_way_out(pattern, message):
    with pytest.raises(DataError) as error:
        grouped(pattern, ["cat/patient_1.png"])
    assert message in str(error.value)


def test_groups_of_data_that_have_no_files_are_refused(capsys):
    assert main(["search", "--budget-mflops", "0.1", "--groups", PATTERN]) == 2
    assert "--groups does not apply to 'digits'; it is for imagefolder:PATH and npz:FILE" in capsys.readouterr().err
    assert main(["search", "--budget-mflops", "0.1", "--groups", "none.csv", "--data", "imagefolder:none"]) == 2
