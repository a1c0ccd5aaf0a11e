"""The report of a study: what it found and how far that can be believed, on one page that needs nothing else.

content: what a report says, as plain data. Everything that computes is on one side of it, everything that shows on the
other.
"""
