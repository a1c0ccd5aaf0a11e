"""A trained network as a folder that anyone can use.

folder: all of it, written whole or not at all. onnx: the network for other runtimes. source: the network as one Python
file. card: what people want to know. parity: that all of them answer alike.
"""
