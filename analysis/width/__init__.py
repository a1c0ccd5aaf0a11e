"""How wide a block of IGC V1, V2 and V3 can be for its cost: closed forms, bounds, every integer block against them.

`law`: a cost that is a polynomial in (L, M), read from counted plans. `subject`, `lattice`, `published`: IGC V1.
`igcv2` with `factors`, `igcv3`: the mathematics of the other two; `*_rows`: their tables. `tables`, `canvas` and
`figure_*`: for people. docs/width.md tells the mathematics.
"""
