"""What reads what others made: for each reader a function that makes one damaged input and has it read.

A target ends well if it returns, raises an IgcnasError, or exits as the command line does for a mistake. Whatever it
prints is looked at, too: no control sequence may be in it.
"""

from __future__ import annotations

import ast
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from scipy import io as matlab

from benchmarks.fuzz import corpus
from benchmarks.fuzz.mutation import EXTREMES, changed, changed_json, damaged, text
from igcnas import cli
from igcnas.data.archive import file_contents
from igcnas.data.loading import load_dataset
from igcnas.data.unpickling import unpickle_arrays
from igcnas.drawing.explanation import KINDS
from igcnas.errors import IgcnasError
from igcnas.export.source import model_source
from igcnas.modules.build import build
from igcnas.network.architecture import Architecture
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count_plan
from igcnas.network.exported import read_exported
from igcnas.network.literature import FAMILIES
from igcnas.network.plan import plan
from igcnas.results.audit.reading import read_audit
from igcnas.results.importance.table import from_dict
from igcnas.results.retraining.plan import read_settings
from igcnas.search.folder import find_study, open_study
from igcnas.search.provenance import runs
from igcnas.search.records import champions, records
from igcnas.search.repeating import standing
from igcnas.search.settings import StudySettings
from igcnas.search.space import load_space
from igcnas.system import harmless
from igcnas.training.recipes import RECIPES
from igcnas.training.recipes.own import read_recipe
from igcnas.training.runs.groups import recorded
from igcnas.training.runs.run import read_summary
from igcnas.training.runs.settings import RunSettings
from igcnas.training.runs.settings import read_settings as read_run
from igcnas.training.runs.weights import Checkpoint, read_state

_WORDS = """
    count networks recipes explain status plot report importance compare export draw resnet igc igcv1 igcv2 L=4 M=2
    depth=8 width=1e9 --json --layers --convention all --no-picture --out --studies-dir --trial -1 nan 1e400 --help --
    study . / --what block network --stage classes=10 size=8 K=1x2x4 --no-figures
"""
_PARSED = ("search", "train", "audit", "retrain", "evaluate", "dashboard")
_OPTIONS = """
    --budget-mflops --networks --epochs --seed --seeds --workers --image-size --repeats --batch-size --learning-rate
    --port --bands --top --margin --min-epochs --data
"""
_NUMBERS = ("0", "-1", "-0", "1", "nan", "inf", "-inf", "1e308", "1e-9", "9" * 30, "9" * 5000, "2.5", "x", "", "1_0")
_VALUES = ("0", "1", "2", "4", "8", "-1", "1x2x4", "1-2", "auto", "true", "1e9", "9" * 60, "9" * 5000, "²", "nan", "")
SLOW = ("command", "images", "journal", "status", "npz", "numbers", "state", "checkpoint", "words", "recipe", "svhn")


class Targets:
    """All of them, on one corpus in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study = folder / "study"
        self.study.mkdir(parents=True)
        self.known = corpus.make(self.study)
        # A cycle has one input of each reader that takes tens of milliseconds, and many of those that take one.
        self.all: dict[str, Callable[[Random], object]] = {
            name.removeprefix("read_"): getattr(self, name) for name in dir(self) if name.startswith("read_")
        }
        self.cycle = [name for name in sorted(self.all) for _ in range(1 if name in SLOW else 40)]
        network = build(plan(Architecture.from_dict(self.known.export["architecture"])))
        self.tensors = network.state_dict()
        self.plan = plan(corpus.architectures()[1])
        self.plain = [architecture.to_dict() for architecture in corpus.architectures()]
        self.parser, self.space = cli.parser(), load_space("all")
        stored = io.BytesIO()
        torch.save(self.tensors, stored)
        self.stored = stored.getvalue()
        arrays = io.BytesIO()
        images = np.arange(12 * 64).astype(np.uint8).reshape(12, 8, 8)
        np.savez(arrays, x_train=images, y_train=np.arange(12) % 2, x_test=images[:4], y_test=np.arange(4) % 2)
        self.npz = arrays.getvalue()
        digits = io.BytesIO()
        matlab.savemat(digits, {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.array([[1], [10]], np.uint8)})
        self.mat = digits.getvalue()
        pictures = []
        for kind in ("PNG", "JPEG", "GIF", "BMP"):
            drawn = io.BytesIO()
            Image.new("L", (9, 8), 100).save(drawn, kind)
            pictures.append(drawn.getvalue())
        self.pictures = pictures

    def _file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def read_study(self, random: Random) -> None:
        """settings.json of a study."""
        self._file("s/settings.json", changed_json(random, self.known.study))
        found = StudySettings.read(self.folder / "s")
        found.differences(found)

    def read_journal(self, random: Random) -> None:
        """The journal, by bytes, by lines, and by what its lines say."""
        lines = self.known.journal.splitlines(keepends=True)
        kind = random.randrange(4)
        if kind == 0:
            content = damaged(random, self.known.journal, other=self.known.journal)
        elif kind == 1:
            place, other = random.randrange(len(lines)), random.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place] * random.choice((0, 1, 2))
            content = b"".join(lines)
        else:
            place = random.randrange(len(lines))
            lines[place] = changed_json(random, json.loads(lines[place])) + b"\n"
            content = b"".join(lines)
        self._file("s/settings.json", json.dumps(self.known.study).encode())
        self._file("s/journal.log", content)
        settings = StudySettings.read(self.folder / "s")
        every = records(open_study(self.folder / "s"))
        champions(every, settings.budget, settings.compares)
        standing(every, budget=settings.budget, images=settings.data.validation_images)

    def read_status(self, random: Random) -> None:
        """A study with a damaged journal, through the command line."""
        lines = self.known.journal.splitlines(keepends=True)
        place = random.randrange(len(lines))
        lines[place] = changed_json(random, json.loads(lines[place])) + b"\n"
        self._file("s/settings.json", json.dumps(self.known.study).encode())
        self._file("s/journal.log", b"".join(lines))
        _command(["status", str(self.folder / "s"), *random.choice(([], ["--json"]))])

    def read_runs(self, random: Random) -> None:
        """runs.jsonl."""
        self._file("s/runs.jsonl", damaged(random, self.known.runs, other=self.known.runs))
        runs(self.folder / "s")

    def read_retraining(self, random: Random) -> None:
        """settings.json of a retraining."""
        self._file("s/settings.json", changed_json(random, self.known.retraining))
        read_settings(self.folder / "s")

    def read_audit(self, random: Random) -> None:
        """The folder of an audit."""
        rows, settings = self.known.audit_rows, json.dumps(self.known.audit).encode()
        if random.random() < 0.5:
            rows = damaged(random, rows, other=rows)
        else:
            settings = changed_json(random, self.known.audit)
        self._file("s/settings.json", settings)
        self._file("s/audit.csv", rows)
        (self.folder / "s" / "trainings").mkdir(exist_ok=True)
        self._file("s/trainings/0.json", changed_json(random, {"seconds": 1.0, "device": "cpu"}))
        read_audit(self.folder / "s")

    def read_run(self, random: Random) -> None:
        """settings.json of a training."""
        self._file("s/settings.json", changed_json(random, self.known.run))
        found = RunSettings.from_dict(read_run(self.folder / "s"))
        found.differences(found.to_dict())

    def read_recipe(self, random: Random) -> None:
        """A recipe of one's own, as it is read and as it is shown."""
        recipe = random.choice(list(RECIPES.values())).to_dict()
        path = self._file("s/mine.json", changed_json(random, recipe))
        if random.random() < 0.5:
            _command(["recipes", str(path), *random.choice(([], ["--json"]))])
        else:
            read_recipe(path)

    def read_groups(self, random: Random) -> None:
        """What a training wrote of its groups, which it takes up."""
        lines = b"epoch,layer,what,moved,sizes,assignment\n0,a.b,inputs,0,2 2,0 0 1 1\n1,a.b,inputs,1,2 2,0 1 0 1\n"
        self._file("s/groups.csv", damaged(random, lines, other=lines))
        recorded(self.folder / "s")

    def read_summary(self, random: Random) -> None:
        """summary.json of a training."""
        self._file("s/summary.json", changed_json(random, self.known.summary))
        read_summary(self.folder / "s")

    def read_analysis(self, random: Random) -> None:
        """A kept importance analysis."""
        from_dict(changed(random, self.known.analysis))

    def read_export(self, random: Random) -> None:
        """architecture.json of an export, and what its network costs."""
        path = self._file("s/architecture.json", changed_json(random, self.known.export))
        count_plan(plan(read_exported(path).architecture))

    def read_architecture(self, random: Random) -> None:
        """An architecture alone."""
        found = Architecture.from_json(changed_json(random, random.choice(self.plain)).decode("utf-8", "replace"))
        count_plan(plan(found))
        found.label()

    def read_pickle(self, random: Random) -> None:
        """A pickle of arrays."""
        unpickle_arrays(damaged(random, self.known.pickle, other=b"}]\x85\x86R.(ua0r\xff\xff\xff\x7f"), where="x")

    def read_tar(self, random: Random) -> None:
        """An archive."""
        path = self._file("x.tar", damaged(random, self.known.tar, other=self.known.tar))
        file_contents(path, {"data_batch_1", "batches.meta"})

    def read_checkpoint(self, random: Random) -> None:
        """Weights with facts beside them, as bytes or with other facts."""
        if random.random() < 0.5:
            facts = changed_json(random, self.known.facts).decode("utf-8", "replace")
            content = save(self.tensors, {"igcnas": facts})
        else:
            whole = save(self.tensors, {"igcnas": json.dumps(self.known.facts)})
            content = damaged(random, whole[:4000], other=whole) + whole[4000:]
        Checkpoint.read(self._file("x.safetensors", content))

    def read_state(self, random: Random) -> None:
        """A state dict of torch.save; also as a zip that is compressed."""
        content = damaged(random, self.stored, other=self.stored)
        if random.random() < 0.2:
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("a/data.pkl", damaged(random, b"\x80\x02}q\x00."))
            content = packed.getvalue()
        read_state(self._file("x.pt", content))

    def read_npz(self, random: Random) -> None:
        """Arrays."""
        load_dataset(f"npz:{self._file('x.npz', damaged(random, self.npz, other=self.npz))}")

    def read_svhn(self, random: Random) -> None:
        """Digits of SVHN in a .mat file."""
        self._file("mat/train_32x32.mat", damaged(random, self.mat, other=self.mat))
        self._file("mat/test_32x32.mat", self.mat)
        load_dataset("svhn", data_dir=self.folder / "mat")

    def read_images(self, random: Random) -> None:
        """A folder of pictures, one of them damaged."""
        root = self.folder / "photos"
        shutil.rmtree(root, ignore_errors=True)
        for number in range(16):
            split = "test" if number < 4 else "train"
            self._file(f"photos/{split}/{number % 2}/{number}.png", self.pictures[number % 2])
        picture = random.choice(self.pictures)
        self._file("photos/train/0/99.png", damaged(random, picture, other=random.choice(self.pictures)))
        load_dataset(f"imagefolder:{root}", image_size=8)

    def read_words(self, random: Random) -> None:
        """key=value words of a family or a block."""
        named = random.choice((FAMILIES, KINDS))
        name = random.choice(list(named))
        keys = [*named[name].parameters, "x", ""]
        words = [f"{random.choice(keys)}={random.choice((*_VALUES, text(random)))}" for _ in range(random.randrange(4))]
        made = named[name].from_text(words)
        if isinstance(made, Architecture):
            count_plan(plan(made))

    def read_command(self, random: Random) -> None:
        """A command line that trains nothing."""
        words = [random.choice((*_WORDS.split(), text(random))) for _ in range(random.randrange(1, 6))]
        words[0] = random.choice(_WORDS.split()[:4]) if random.random() < 0.9 else words[0]
        if words[0] in ("plot", "report", "importance", "export", "draw", "explain"):
            words = [words[0], "--no-such"]  # they draw, which takes a second, or write where they are
        _command(words)

    def read_numbers(self, random: Random) -> None:
        """Numbers of commands that train, as far as they are checked."""
        words = [random.choice(_PARSED)]
        for _ in range(random.randrange(4)):
            words += [random.choice(_OPTIONS.split()), random.choice(_NUMBERS)]
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            arguments = self.parser.parse_args(words)
            cli.common.check_numbers(arguments)
            if words[0] == "search":
                cli.search.check_arguments(arguments)

    def read_name(self, random: Random) -> None:
        """The name of a study."""
        find_study(text(random), self.folder)

    def read_parameters(self, random: Random) -> None:
        """What a journal says was chosen, as the space understands it."""
        space = self.space
        family = random.choice(space.families)
        chosen = {"block": family.name} | {axis: random.choice(values) for axis, values in space.axes(family).items()}
        if random.random() < 0.9:
            chosen[random.choice([*chosen, "x"])] = random.choice(EXTREMES)
        if random.random() < 0.5:
            chosen.pop(random.choice(list(chosen)))
        space.decode(chosen, (1, 8, 8), 10).fit(macs_budget(10**6))

    def read_text(self, random: Random) -> None:
        """Names of classes in a terminal, Markdown, CSV and Python source."""
        names = [text(random) for _ in range(3)]
        for name in names:
            _require(harmless.line(name).isprintable() or " " in name or not name.isascii(), name)
            _require("<" not in harmless.markdown(name) and "\n" not in harmless.markdown(name), name)
            _require(not str(harmless.cell(name)).startswith(("=", "@", "\t", "\r")), name)
        source = model_source(self.plan, title=names[0], classes=names, macs=1, params=1)
        classes = next(n for n in ast.parse(source).body if isinstance(n, ast.Assign) and n.targets[0].id == "CLASSES")  # type: ignore[attr-defined]
        _require(list(ast.literal_eval(classes.value)) == names, names[0])


def _command(words: list[str]) -> None:
    """Run it; RuntimeError for a status or an output that no command has."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status: object = cli.main(words)
        except SystemExit as end:
            status = end.code
    said = out.getvalue() + err.getvalue()
    _require(status in (0, 2, None), f"status {status}")
    _require("\x1b" not in said and "\u202e" not in said and "Traceback" not in said, f"printed {said[:80]!r}")
    if status == 2:
        raise IgcnasError(said)


def _require(good: bool, what: str) -> None:
    if not good:
        raise RuntimeError(ascii(what)[:200])
