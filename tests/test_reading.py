"""What is read back fits its type, or is one line that names the file, the field and the rule."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta
from support.real_studies import unpack

from igcnas.errors import ArchitectureError, DataError, IgcnasError, StudyError
from igcnas.search.provenance import runs
from igcnas.search.settings import StudySettings
from igcnas.system.reading import as_kind, plain_json, read_json, read_text
from igcnas.training.settings import TrainingSettings, flatten

ADVICE = "restore it"


@dataclass(frozen=True, kw_only=True)
class Part:
    share: Annotated[float, Meta(gt=0, lt=1)]


@dataclass(frozen=True, kw_only=True)
class Settings:
    epochs: Annotated[int, Meta(ge=1, le=1000)]
    parts: tuple[Part, ...] = ()
    name: str | None = None


def refusal(path: Path, content: bytes | str) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(StudyError) as caught:
        read_json(path, Settings, advice=ADVICE)
    message = str(caught.value)
    assert "\n" not in message
    assert message.isprintable()
    assert str(path) in message
    assert message.endswith(ADVICE)
    return message


def test_what_fits_is_read_with_its_parts_and_what_it_does_not_know_is_passed_over(tmp_path):
    path = tmp_path / "s.json"
    path.write_bytes(b'\xef\xbb\xbf{"epochs": 3, "parts": [{"share": 0.5}], "later": 1}')
    assert read_json(path, Settings, advice=ADVICE) == Settings(epochs=3, parts=(Part(share=0.5),))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"epochs": "x"}', "epochs is 'x': expected int, got str"),
        ('{"epochs": 0}', "epochs is 0: expected int >= 1"),
        ('{"epochs": 3, "parts": [{"share": 0.5}, {"share": 2}]}', "parts[1].share is 2: expected float < 1.0"),
        ('{"epochs": true}', "epochs is True: expected int, got bool"),
        ("{}", "object missing required field epochs"),
        ("[]", "expected object, got array"),
        ('{"epochs": NaN}', "NaN where a number is expected"),
        ('{"epochs": 1e999}', "1e999 is larger than any number"),
        ('{"epochs": %s}' % ("9" * 5000), "a whole number of 5,000 digits"),
        ('{"epochs": 1, "epochs": 2}', "field 'epochs' is given twice"),
        ('{"epochs": 3, "name": "\\ud800"}', "half a character"),
        ("[" * 100_000, "nested too deeply"),
        (b'{"epochs": 3, "name": "\xff"}', "not UTF-8 at byte 23"),
        (b"\x00\x00", "no JSON"),
        ("", "no JSON"),
    ],
)
def test_what_does_not_fit_names_the_field_its_value_and_the_rule(tmp_path, content, said):
    assert said in refusal(tmp_path / "s.json", content)


@dataclass(frozen=True, kw_only=True)
class Checked:
    groups: int

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ArchitectureError(f"groups must be at least 1, but is {self.groups}")


@pytest.mark.parametrize("error", [StudyError, ArchitectureError, DataError])
@pytest.mark.parametrize("content", ['{"groups": 0}', '{"groups": "x"}', "{", '{"groups": 1e999}'])
def test_the_file_and_the_way_out_are_told_once_whatever_the_error(tmp_path, content, error):
    path = tmp_path / "s.json"
    path.write_text(content)
    with pytest.raises(error) as caught:
        read_json(path, Checked, error=error, advice=ADVICE)
    message = str(caught.value)
    assert (message.count(str(path)), message.count("damaged"), message.count(ADVICE)) == (1, 1, 1)


@pytest.mark.parametrize("data", [{"epochs": "\ud800"}, {"epochs": 3, "\udfff": 1}])
def test_half_a_character_that_came_without_a_file_is_told_too(data):
    with pytest.raises(StudyError, match=r"^trial 3 is damaged \(a text in it is half a character\); restore it$"):
        as_kind(data, Settings, where="trial 3", advice=ADVICE)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_value_error(content):
    try:
        found = plain_json(content)
    except ValueError as error:
        said = str(error)
    else:
        said = ""
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    assert "\n" not in said


def test_a_pipe_a_folder_a_device_and_a_loop_of_links_are_refused_at_once(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no such files")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero"), tmp_path / "loop", tmp_path / "none", Path("a\0b")):
        with pytest.raises(StudyError, match=r"restore it$"):
            read_json(path, Settings, advice=ADVICE)


def test_a_file_longer_than_any_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "long.json"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(ArchitectureError, match="more than the 1,000 bytes of any such file"):
        read_text(path, most=1000, error=ArchitectureError, advice=ADVICE)


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("budget_macs",), "x", "budget_macs is 'x': expected int | null, got str"),
        (("budget_macs",), -5, "budget_macs is -5: expected int >= 1"),
        (("budget_macs",), 2**70, "budget_macs is 1180591620717411303424: "),
        (("data", "input_shape"), [0, 8, 8], "data.input_shape[0] is 0: expected int >= 1"),
        (("data", "input_shape"), [1, 10**9, 8], "data.input_shape[1] is 1000000000: expected int <= 65536"),
        (("data", "classes"), [], "data.classes: expected array of length >= 1"),
        (("data", "classes"), [1], "data.classes[0] is 1: expected str, got int"),
        (("training", "epochs"), 0, "training.epochs is 0: expected int >= 1"),
        (("training", "epochs"), 1.5, "training.epochs is 1.5: expected int, got float"),
        (("training", "grouping", "gradient"), "none", "unknown gradient rule 'none'"),
        (("objective",), "beauty", "unknown objective 'beauty'"),
        (("space", "families"), [1], "families[0] is 1: expected object, got int"),
    ],
)
def test_settings_of_a_study_are_refused_by_field(tmp_path, keys, value, said):
    folder = unpack(tmp_path)
    path = folder / "settings.json"
    data = part = json.loads(path.read_text())
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    path.write_text(json.dumps(data))
    with pytest.raises(StudyError, match="damaged") as caught:
        StudySettings.read(folder)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_study_made_before_these_checks_is_read_as_it_was(tmp_path):
    folder = unpack(tmp_path)
    settings = StudySettings.read(folder)
    written, read = flatten(json.loads((folder / "settings.json").read_text())), flatten(settings.to_dict())
    assert written.items() <= read.items()


def test_settings_from_before_there_were_two_engines_mean_eager_and_wrong_ones_are_no_traceback():
    assert TrainingSettings.from_dict({"epochs": 2}).engine == "eager"
    with pytest.raises(IgcnasError, match="epochs is 'x'"):
        TrainingSettings.from_dict({"epochs": "x"})


def test_a_run_without_its_seconds_or_of_another_shape_breaks_no_report(tmp_path):
    run = {"command": "c", "began": "2026", "igcnas": "1", "commit": "", "python": "3", "platform": "p"}
    run |= {"processor": "x", "cores": 2}
    lines = [json.dumps(run), '{"seconds": 2.5}', '{"began": 3}', "[", '{"seconds": -1}', json.dumps(run), "\udcff"]
    (tmp_path / "runs.jsonl").write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    assert [one.seconds for one in runs(tmp_path)] == [2.5, None]
