"""The torch module of a plan, before training and after.

build: the module, layer by layer. layers: what torch lacks, one module a kind of learned grouping. lowering: learned
grouping frozen into plain layers. composition: the one kernel that a stack of linear layers equals. reorganised:
inference that computes no more than each image chose.
"""
