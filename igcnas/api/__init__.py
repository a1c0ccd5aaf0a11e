"""The Python interface: a search, its study, and its networks, for programs and notebooks (docs/python.md).

searching: `igcnas.search` and `igcnas.open_study`. study: what they give. pictures: data that Python holds, as a file
that workers read. trackers: callbacks for TensorBoard, MLflow and Weights & Biases. notebook: live progress and rich
output there.
"""
