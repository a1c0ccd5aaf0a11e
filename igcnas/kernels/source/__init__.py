"""The Triton programs themselves. Importing a module of this package imports triton; igcnas.kernels does when needed.

Rules of all programs. Arithmetic is fp32: every load is cast up at once. Channels are counted in units of UNIT (8, or 1
where 8 does not divide them): `units * UNIT` tells the compiler that rows start at multiples of 16 bytes, so that loads
are 128 bits wide although the number of channels is known only when the program starts, and one binary serves all
networks. An activation is a clamp between two numbers that are arguments, too. Offsets are 32 bits. Loops over work
that is known only at the start are `while` loops: the interpreter of Triton 3.6 cannot take such a bound in `range`
with numpy 2.4. Reductions over programs go through a buffer with one row a program, which a second program adds up in
a fixed order; their number follows from the shape alone, so that results are the same on every device and in every run.
"""
