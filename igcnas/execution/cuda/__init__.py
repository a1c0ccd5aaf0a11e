"""The operators on channels_last tensors: for CUDA, and with stock operators for any device.

rule: which way a convolution is computed. folding: weights in the order and density that a way wants. ways: the ways,
forward and backward. operators: everything else that the steps of a program ask for.
"""
