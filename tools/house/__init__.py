"""The plan of the house: which module imports which, which files go in a circle, which room rests on which.

modules: every import, read from the code without running it. rooms: the packages and loose modules directly below
igcnas, with what they import. picture: the rooms in the order of imports.
"""
