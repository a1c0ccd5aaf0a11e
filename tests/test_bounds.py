"""What a few bytes, words or digits ask for is refused before anything is done with it."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from igcnas.cli import main
from igcnas.data.archive import file_contents
from igcnas.data.unpickling import unpickle_arrays
from igcnas.errors import ArchitectureError, DataError, IgcnasError, StudyError
from igcnas.modules.build import build
from igcnas.network.architecture import Architecture
from igcnas.network.literature import FAMILIES
from igcnas.network.plan import plan
from igcnas.system import bounds
from igcnas.system.reading import as_kind
from igcnas.training.runs.weights import loaded, read_state


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("resnet depth=999999998", "depth must be at most 1,048,576"),
        ("resnet width=2000000", "width must be at most 1,048,576"),
        ("resnet width=262144", "output channels together, more than 2,097,152"),
        ("resnet depth=1048574 width=1", "blocks are more than 4,096"),
        ("igc L=1000000000", "L must be at most 1,048,576"),
        ("resnet classes=1000000000", "classes must be at most 1,048,576"),
        ("resnet size=1000000", "at most 65,536 pixels a side"),
        ("mobilenetv2 width=1e308", "width must be at most 1000"),
        ("condensenet stages=100000-1-1", "100,002 layers are more than 4,096"),
        ("dg-resnext gates=²", "gates must be on, off, learned, or a power of two"),
        ("resnet depth=" + "9" * 5000, "a whole number is expected"),
        ("igcv2 width=" + "-".join("9" * 5000), "a whole number is expected"),
    ],
)
def test_a_network_beyond_any_is_refused_before_its_layers_are_counted(words, rule):
    name, *rest = words.split()
    with pytest.raises(ArchitectureError) as caught:
        FAMILIES[name].from_text(rest)
    assert rule in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_largest_networks_of_the_literature_are_within_bounds():
    for name, words in (("resnet", ["depth=1202"]), ("resnext", ["depth=152", "groups=64"]), ("resnet", ["width=640"])):
        assert plan(FAMILIES[name].from_text(words))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("stages", 0, "repeats"), 10**12),
        (("stages", 0, "width"), 10**30),
        (("num_classes",), 10**9),
        (("input_shape", 1), 10**6),
        (("stem_kernel",), 10**6 + 1),
        (("head_channels",), 10**12),
        (("stages", 0, "block", "kernel"), 10**5 + 1),
    ],
)
def test_an_architecture_of_a_file_is_refused_alike(path, value):
    data = part = FAMILIES["resnet"].from_text(["depth=8"]).to_dict()
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(ArchitectureError):
        Architecture.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("path", "most", "beyond", "rule"),
    [
        (("head_channels",), 1_048_576, 1_048_577, "head_channels must be at most 1,048,576"),
        (("num_classes",), 1_048_576, 1_048_577, "num_classes must be at most 1,048,576"),
        (("input_shape", 1), 65_536, 65_537, "at most 65,536 pixels a side"),
        (("input_shape", 2), 65_536, 65_537, "at most 65,536 pixels a side"),
        (("stem_kernel",), 255, 257, "stem_kernel must be at most 255"),
        (("stages", 0, "repeats"), 4_094, 4_095, "4,097 blocks are more than 4,096"),
    ],
)
def test_a_network_at_a_bound_is_a_network_and_one_beyond_it_is_none(path, most, beyond, rule):
    data = part = FAMILIES["resnet"].from_text(["depth=8", "width=1"]).to_dict()
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = most
    assert Architecture.from_dict(data).to_dict() == data
    part[path[-1]] = beyond
    with pytest.raises(ArchitectureError, match=rule):
        Architecture.from_dict(data)


@pytest.mark.parametrize(
    ("kind", "least", "most", "beyond"),
    [
        (bounds.Epochs, 1, 10**6, (0, 10**6 + 1)),
        (bounds.Epoch, 0, 10**6, (-1, 10**6 + 1)),
        (bounds.Networks, 0, 10**6, (-1, 10**6 + 1)),
        (bounds.Batch, 1, 2**20, (0, 2**20 + 1)),
        (bounds.Seed, -(2**63), 2**63 - 1, (2**63,)),
        (bounds.Positive, 1, 2**62, (0, 2**62 + 1)),
        (bounds.Count, 0, 2**62, (-1, 2**62 + 1)),
        (bounds.Macs, 1, 10**18, (0, 10**18 + 1)),
        (bounds.Channels, 1, 2**20, (0, 2**20 + 1)),
        (bounds.Pixels, 1, 2**16, (0, 2**16 + 1)),
        (bounds.Pad, 0, 2**16, (-1, 2**16 + 1)),
        (bounds.Percent, 0.0, 100.0, (-0.001, 100.001)),
        (bounds.UpToOne, 0.0, 1.0, (-0.001, 1.001)),
        (bounds.Seconds, 0.0, 1e12, (-0.001, 1.001e12)),
        (bounds.Share, 1e-9, 1 - 1e-9, (0.0, 1.0)),
        (bounds.BelowOne, 0.0, 1 - 1e-9, (-0.001, 1.0)),
        (bounds.AboveZero, 1e-9, 1e9, (0.0, -1.0)),
        (bounds.NotNegative, 0.0, 1e9, (-0.001,)),
        (bounds.Name, "x", "x" * 100_000, ("", "x" * 100_001)),
        (bounds.Text, "", "x" * 100_000, ("x" * 100_001,)),
    ],
)
def test_a_file_may_hold_the_least_and_the_most_of_a_kind_and_nothing_beyond(kind, least, most, beyond):
    for value in (least, most):
        assert as_kind(value, kind, where="x", advice="restore it") == value
    for value in beyond:
        with pytest.raises(StudyError, match="x is damaged"):
            as_kind(value, kind, where="x", advice="restore it")


def test_stages_are_counted_to_their_bound():
    data = FAMILIES["resnet"].from_text(["depth=8", "width=1"]).to_dict()
    data["stages"] = data["stages"][:1] * 256
    assert len(Architecture.from_dict(data).stages) == 256
    data["stages"] *= 2
    with pytest.raises(ArchitectureError, match="stages must be at most 256"):
        Architecture.from_dict(data)


def test_ten_thousand_stages_are_refused():
    data = FAMILIES["resnet"].from_text(["depth=8"]).to_dict()
    data["stages"] *= 10_000
    with pytest.raises(ArchitectureError, match="stages must be at most 256"):
        Architecture.from_dict(data)


def test_a_network_that_no_memory_holds_is_counted_and_not_built():
    network = plan(FAMILIES["resnet"].from_text(["width=20000"]))
    with pytest.raises(ArchitectureError, match=r"is not built; the most is 2,147,483,648$"):
        build(network)
    assert build(plan(FAMILIES["resnet"].from_text(["depth=8"])))
    with pytest.raises(IgcnasError, match="not of its architecture, which has more"):
        loaded(network, {"a": torch.zeros(3)}, where="x")


ATTACKS = {
    "nested tuples": b"\x80\x02}" + b"N" + b"\x85" * 300_000 + b"Ns.",
    "a place in the memo": b"\x80\x02Nr" + struct.pack("<I", 2**26) + b".",
    "a place in the memo as text": b"Np99999999\n.",
    "nested lists": b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b".",
    "nested marks": b"(" * 100_000 + b"t" * 100_000 + b".",
    "a long number": b"\x80\x02\x8b" + struct.pack("<i", 10**6) + b"\x01" * 10**6 + b".",
    "a declared number": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b".",
    "declared bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".",
    "a frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
    "an extension": b"\x80\x02\x82\x01.",
    "keys of one hash": b"\x80\x02}("
    + b"".join(b"\x8a\x08" + struct.pack("<q", n) + b"N" for n in range(20_000))
    + b"u.",
    "one text encoded again and again": b"\x80\x02(c_codecs\nencode\nq\x01X\xe8\x03\x00\x00"
    + b"x" * 1000
    + b"q\x02X\x06\x00\x00\x00latin1q\x03"
    + b"h\x01h\x02h\x03\x86R" * 400
    + b"l.",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_pickle_of_few_bytes_takes_neither_memory_nor_the_process(name):
    with pytest.raises(DataError, match=r"fetch (it from|the file again)"):
        unpickle_arrays(ATTACKS[name], where="x")


@pytest.mark.parametrize(
    ("name", "place"), [("a place in the memo", "67,108,864"), ("a place in the memo as text", "99,999,999")]
)
def test_a_place_in_the_memo_that_nothing_can_have_reached_is_named(name, place):
    with pytest.raises(DataError, match=f"place {place} of the memo after"):
        unpickle_arrays(ATTACKS[name], where="x")


@pytest.mark.parametrize("kind", ["i1", "f4", "u2", "?"])
def test_pixels_that_are_no_bytes_from_0_to_255_are_not_read_as_such(kind):
    with pytest.raises(DataError, match=r"an array of '\w\d' where pixels are 'u1'"):
        unpickle_arrays(pickle.dumps({"data": np.ones((2, 6), kind)}, protocol=2), where="x")


def test_labels_of_63_bits_are_read_and_longer_ones_refused():
    assert unpickle_arrays(pickle.dumps({"labels": [2**63 - 1]}, protocol=2), where="x") == {"labels": [2**63 - 1]}
    with pytest.raises(DataError, match="a number of 64 bits"):
        unpickle_arrays(pickle.dumps({"labels": [2**63]}, protocol=2), where="x")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_pickles_of_arrays_and_of_many_labels_are_read_as_before(protocol):
    names = [f"image {n}.png" for n in range(20_000)]
    made = {"data": np.arange(12, dtype=np.uint8).reshape(2, 6), "labels": list(range(20_000)), "filenames": names}
    found = unpickle_arrays(pickle.dumps(made, protocol=protocol), where="x")
    assert np.array_equal(found["data"], made["data"])
    assert found["labels"] == made["labels"]


def test_an_archive_that_says_it_is_larger_than_any_is_refused(tmp_path):
    entry = tarfile.TarInfo("cifar/data_batch_1")
    entry.size = 2**40
    (tmp_path / "a.tar").write_bytes(entry.tobuf() + bytes(1024))
    long = tarfile.TarInfo("x")
    long.type, long.size = tarfile.XHDTYPE, 2**32
    (tmp_path / "b.tar").write_bytes(long.tobuf() + bytes(1024))
    for name in ("a.tar", "b.tar"):
        with pytest.raises(DataError):
            file_contents(tmp_path / name, {"data_batch_1"})


def test_links_devices_and_paths_that_lead_outside_are_not_read(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (("a/link", tarfile.SYMTYPE), ("a/device", tarfile.CHRTYPE), ("a/pipe", tarfile.FIFOTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        entry = tarfile.TarInfo("../../outside/file")
        archive.addfile(entry)
    assert file_contents(tmp_path / "a.tar", {"link", "device", "pipe", "file"}) == {}


def test_a_state_dict_that_unpacks_to_more_than_its_file_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"a": torch.zeros(1000, 10)}, path)
    assert read_state(path)["a"].shape == (1000, 10)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    with pytest.raises(IgcnasError, match="compressed archive"):
        read_state(tmp_path / "bomb.pt")
    (tmp_path / "legacy.pt").write_bytes(b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.")
    with pytest.raises(IgcnasError, match="holds no state dict"):
        read_state(tmp_path / "legacy.pt")


def test_weights_of_torch_before_its_archives_are_read(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"a": torch.ones(2000)}, path, _use_new_zipfile_serialization=False)
    assert float(read_state(path)["a"].sum()) == 2000


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("--networks 1000000000000", "--networks 1000000000000 must be at most 1,000,000"),
        ("--epochs 1000000000", "--epochs 1000000000 must be at most 1,000,000"),
        ("--workers 1000000", "--workers 1000000 must be at most 4,096"),
        ("--workers " + "9" * 5000, "must be at most 4,096"),
        ("--seed 1180591620717411303424", "must be at most 9,223,372,036,854,775,807"),
        ("--seed -1", "--seed -1 must be at least 0"),
        ("--seeds 1000000", "--seeds 1000000 must be at most 10,000"),
        ("--image-size 1000000", "--image-size 1000000 must be at most 65,536"),
        ("--budget-mflops 1e308", "--budget-mflops 1e+308 must be at most"),
        ("--budget-mflops nan", "--budget-mflops nan must be"),
        ("--budget-mflops inf", "--budget-mflops inf must be"),
        ("--budget-mflops 1e-9", "--budget-mflops 1e-09 must be at least 1e-06"),
        ("--budget-mflops -0", "--budget-mflops -0 must be a positive number"),
    ],
)
def test_a_number_that_no_search_can_mean_is_one_line(words, rule, tmp_path):
    told = io.StringIO()
    usual = [] if "--budget" in words else ["--budget-mflops", "1"]
    with contextlib.redirect_stderr(told):
        status = main(["search", *usual, *words.split(), "--studies-dir", str(tmp_path)])
    assert status == 2
    assert rule in told.getvalue()
    assert told.getvalue().count("\n") == 1
    assert list(tmp_path.iterdir()) == []
