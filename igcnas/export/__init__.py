"""A trained network as files that open elsewhere.

folder: the exported folder as a whole. onnx, source, card: its files. exporters: further ones, of other packages.
parity: whether all of them say the same.
"""
