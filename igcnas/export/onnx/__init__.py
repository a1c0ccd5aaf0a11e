"""One ONNX file of a network, weights inside, for batches of any size, written from the steps of its plan.

file: the model around the graph. graph: nodes and tensors by name. operators: the nodes of each primitive. gated: those
of a convolution of which each image chooses the inputs. That the file can be run is found by ONNX Runtime
(igcnas/export/parity.py).
"""

from igcnas.export.onnx.file import INPUT, OPSET, OPSETS, OUTPUT, check_opset, write_onnx

__all__ = ["INPUT", "OPSET", "OPSETS", "OUTPUT", "check_opset", "write_onnx"]
