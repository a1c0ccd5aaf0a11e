"""How wide a block of IGC V1, V2 and V3 can be for its cost: closed forms, bounds, and every integer block against them.

`law`: a cost that is a polynomial in (L, M), read from counted plans. `lattice`, `subject`, `published`: IGC V1.
`igcv2`, `igcv3`: the other two. `tables`, `figure*`: for people. The mathematics is told in docs/width.md.
"""
