"""The ONNX file of a lowered network: its input is named image, its output logits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from onnx import helper

from igcnas.errors import ExportError
from igcnas.export.onnx.graph import Graph, described
from igcnas.export.onnx.operators import is_vector, write_step
from igcnas.modules.lowering import Lowered
from igcnas.network.flow import flow
from igcnas.system.files import write_whole

INPUT = "image"
OUTPUT = "logits"
OPSETS = (17, 26)  # all that is written means the same in each of them
OPSET = 17
# Of the file itself. Runtimes refuse files of a later format than they know, and nothing here needs a later one; it is
# that of opset 17.
_IR_VERSION = 8


def check_opset(opset: int | None) -> None:
    """ExportError for one that is not written; None is the usual one."""
    if opset is not None and not OPSETS[0] <= opset <= OPSETS[1]:
        raise ExportError(
            f"--opset {opset} cannot be written; {OPSETS[0]} to {OPSETS[1]} can, and without the option it is {OPSET}"
        )


def write_onnx(path: Path, lowered: Lowered, metadata: Mapping[str, str], opset: int | None = None) -> int:
    """Write a network without learned layers; `metadata` becomes properties of the model. The opset of the file."""
    check_opset(opset)
    opset = OPSET if opset is None else opset
    graph = Graph(lowered.state)
    names, vectors = [INPUT], [False]
    steps = flow(lowered.plan)
    for step in steps:
        names.append(write_step(graph, step, [names[value] for value in step.inputs]))
        vectors.append(is_vector(step.operation, vectors[step.inputs[0]]))
        shape = (step.shape.channels,) if vectors[-1] else (step.shape.channels, *step.shape.size)
        graph.shape(names[-1], shape)
    del graph.shapes[-1]
    graph.nodes[-1].output[0] = OUTPUT  # the last node of a step makes its value, and nothing reads that of the last
    model = helper.make_model(
        graph.made("igcnas", described(INPUT, lowered.plan.input_shape), described(OUTPUT, shape)),
        producer_name="igcnas",
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", opset)],
    )
    helper.set_model_props(model, dict(metadata))
    write_whole(path, model.SerializeToString(deterministic=True))
    return opset
