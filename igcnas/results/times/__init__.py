"""Times of many networks: those a table of times is fitted to, and those of a space, beside their MACs.

drawing: networks at random. sampling: their times, one at a time. fit: a table, with what is left to be done told.
"""
