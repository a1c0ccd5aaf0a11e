"""igcnas draw: pictures of a block, of a whole network, and of what training decided about who meets whom."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.cli.common import add_studies_dir
from igcnas.drawing.explanation import KINDS, block_of
from igcnas.errors import IgcnasError
from igcnas.network.literature import FAMILIES
from igcnas.network.plan import plan
from igcnas.results.subject import TRAINED, WHAT, Source, find, learned_layers
from igcnas.results.table import Column, Table

if TYPE_CHECKING:
    from igcnas.drawing.connections import Connections
    from igcnas.drawing.network import NetworkPicture
    from igcnas.drawing.scene import Scene
    from igcnas.drawing.sketch import BlockSketch

_FORMATS = (".svg", ".png", ".pdf")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    both = ", ".join(sorted(set(KINDS) & set(FAMILIES)))
    parser = commands.add_parser(
        "draw",
        help="pictures of a block, of a network, of learned connections",
        description="Draws a block as the papers do (partitions, permutations, who is connected to whom), a whole "
        "network as a strip with the share of MACs and parameters of each stage, and for trained networks with "
        "learned grouping the connections before and after training.",
        epilog=f"NAME is, in this order:\n"
        f"  an architecture.json, or the folder of an export, a training (igcnas train) or a study;\n"
        f"  a block:  {', '.join(KINDS)};\n"
        f"  a family: {', '.join(FAMILIES)};\n"
        f"  the name of a study in --studies-dir.\n"
        f"{both} are a block and a family:\n"
        f"the block is drawn, unless --what or --stage asks for a network or a parameter is one of the family alone.\n"
        f"With --trial NAME is a study. igcnas explain has the parameters of the blocks, igcnas networks those of the\n"
        f"families.\n\n"
        f"examples:\n"
        f"  igcnas draw igcv1 L=2 M=3 --out block.svg\n"
        f"  igcnas draw igc L=24 M=2 depth=20 --out network.png\n"
        f"  igcnas draw NAME --trial 17 --what connections",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="what to draw, see below")
    parser.add_argument("parameters", nargs="*", metavar="key=value", help="parameters of a block or a family")
    parser.add_argument("--trial", type=int, metavar="NUMBER", help="this network of a study (default: the best)")
    parser.add_argument(
        "--stage", type=int, metavar="N", help="only the block of this stage, from 1 (default: each other block)"
    )
    parser.add_argument(
        "--what",
        choices=WHAT,
        help="of a network: its blocks, its strip, its learned connections, or all of these (default)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the picture (.svg, .png, .pdf; default draw-NAME.svg)"
    )
    parser.add_argument("--json", action="store_true", help="print the numbers of the picture as one JSON object")
    add_studies_dir(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw; say what and where."""
    out: Path | None = arguments.out
    if out is not None and out.suffix.lower() not in _FORMATS:
        raise IgcnasError(f"{out} is no picture that can be written: its name must end with {', '.join(_FORMATS)}")
    source = find(
        arguments.name,
        arguments.parameters,
        what=arguments.what,
        stage=arguments.stage,
        trial=arguments.trial,
        studies=arguments.studies_dir,
    )
    if source.block is not None and arguments.stage is not None:
        raise IgcnasError(f"{source.name} is one block and has no stages; --stage is for networks")
    from igcnas.drawing.canvas import save_scene
    from igcnas.drawing.scene import stacked

    drawn = _Drawn.of(source, arguments.what or "all", arguments.stage)
    out = out or Path(f"draw-{source.name}.svg")
    save_scene(out, stacked(drawn.scenes))
    if arguments.json:
        print(json.dumps({"name": source.name, **drawn.numbers(), "note": source.note, "picture": str(out)}))
        return 0
    print("\n".join(drawn.text()))
    if source.note:
        print(source.note)
    print(f"picture: {out}")
    return 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Drawn:
    """What was drawn: the numbers of each part, and its scene."""

    network: NetworkPicture | None
    blocks: dict[int, BlockSketch]
    layers: dict[str, tuple[Connections, Connections]]
    when: tuple[str, str]
    scenes: list[Scene]

    @staticmethod
    def of(source: Source, what: str, stage: int | None) -> _Drawn:
        """All that is asked for; IgcnasError where a network has no such stage, or nothing learned to show."""
        from igcnas.drawing.layout import block_scene
        from igcnas.drawing.matrices import matrices_scene
        from igcnas.drawing.network import compute_network
        from igcnas.drawing.network_layout import network_scene
        from igcnas.drawing.sketch import compute_sketch

        when = (source.when, TRAINED)
        if source.block is not None:
            sketch = compute_sketch(source.block)
            return _Drawn(network=None, blocks={0: sketch}, layers={}, when=when, scenes=[block_scene(sketch)])
        architecture = source.architecture
        assert architecture is not None
        count = len(architecture.stages)
        if stage is not None and not 1 <= stage <= count:
            raise IgcnasError(f"--stage {stage}: this network has stages 1 to {count}")
        masks = {path: state.values for path, state in source.after.items()}
        sketches = {
            number: compute_sketch(block_of(architecture, stage=number - 1, masks=masks))
            for number in ([stage] if stage is not None else range(1, count + 1))
        }
        first: dict[object, int] = {}
        for number, sketch in sketches.items():  # learned blocks differ even where their titles do not
            decided = any(path.startswith(f"stage{number}.") for path in masks)
            first.setdefault(number if decided else sketch.title, number)
        blocks = {number: sketches[number] for number in first.values()}
        network = compute_network(architecture, trained=source.trained) if what in ("network", "all") else None
        layers = {}
        if what in ("connections", "all"):
            shown = [f"stage{n}.block{min(2, architecture.stages[n - 1].repeats)}." for n in blocks]
            layers = {
                path: (source.before[path], after)
                for path, after in source.after.items()
                if any(path.startswith(prefix) for prefix in shown)
            }
        if what == "connections" and not layers:
            raise IgcnasError(_nothing(source))
        scenes = [network_scene(network)] if network is not None else []
        if what in ("block", "all"):
            scenes += [block_scene(sketch) for sketch in blocks.values()]
        if layers:
            title = "Learned connections, before and after training"
            scenes.append(matrices_scene(layers, title=title, when=when, note=source.note))
        kept = blocks if what in ("block", "all") else {}
        return _Drawn(network=network, blocks=kept, layers=layers, when=when, scenes=scenes)

    def numbers(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "network": None if self.network is None else dataclasses.asdict(self.network),
            "blocks": [
                {"stage": number or None, **dataclasses.asdict(sketch), "condition": _condition(sketch)}
                for number, sketch in self.blocks.items()
            ],
            "connections": [
                {
                    "layer": name,
                    "before": {"what": self.when[0], "values": before.values.tolist()},
                    "after": {"what": self.when[1], "values": after.values.tolist(), "groups": after.groups.tolist()},
                }
                for name, (before, after) in self.layers.items()
            ],
        }

    def text(self) -> list[str]:
        """A line for each thing that was drawn, and for each part of the network."""
        from igcnas.drawing.layout import reach_words

        lines = []
        if self.network is not None:
            parts = Table.of(_PARTS, self.network.parts)
            whole = ("network", "", "", "", self.network.macs, self.network.params)
            lines += [self.network.title, dataclasses.replace(parts, rows=(*parts.rows, whole)).text()]
        for number, sketch in self.blocks.items():
            stage = f"stage {number}, " if number else ""
            lines.append(f"{stage}{sketch.title}: {reach_words(sketch)}")
        for name, (before, after) in self.layers.items():
            lines.append(f"{name}: {before.summary()} ({self.when[0]}), {after.summary()} ({self.when[1]})")
        return lines


_PARTS = (
    Column.words("part", lambda part: part.name),
    Column.numbers("blocks", lambda part: len(part.widths) if part.kind == "stage" else ""),
    Column.numbers("channels", lambda part: f"{part.widths[-1]:,}"),
    Column.numbers("size", lambda part: "" if part.size is None else f"{part.size[0]}x{part.size[1]}"),
    Column.numbers("MACs", lambda part: part.macs, ","),
    Column.numbers("params", lambda part: part.params, ","),
)


def _condition(sketch: BlockSketch) -> str | None:
    return None if sketch.reach is None else sketch.reach.condition


def _nothing(source: Source) -> str:
    """Why there are no connections to show."""
    assert source.architecture is not None
    if not learned_layers(plan(source.architecture)):
        return f"{source.name} learns no grouping, so it has no connections before and after; take --what block"
    if source.after:
        return f"the block of this stage of {source.name} learns nothing; take another --stage"
    return source.note or (
        f"{source.name} is not trained; --what connections needs a study (NAME --trial N), a training or an export"
    )
