"""The plan of the house: which room rests on which, read from all imports (tools/imports.py).

rooms: the packages and loose modules directly below igcnas, with what they import. picture: the rooms in the order of
imports.
"""
