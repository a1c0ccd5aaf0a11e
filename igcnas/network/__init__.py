"""A network as data, without torch: what it is made of, what it costs, and who made it.

architecture: all of it, as JSON and by id. primitives, plan: its layers in order. cost, budget: multiply-accumulates
and parameters, and limits on them. canonical: equal networks recognised. width: the widest within a budget. paths,
upstream: who meets whom. blocks, grouping: block families and kinds of grouping, one module each. literature,
baselines: networks of the papers. conventions: the figures that other counters print. exported: what an export says of
its network. keywords: `key=value`.
"""
