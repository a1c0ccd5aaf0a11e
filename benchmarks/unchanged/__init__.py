"""What a user has, as hashes, so that a refactoring can show that it changed none of it.

steps: the commands that are run, as a user would. files: what each kind of file holds, without times and memory.
reading: all of that for a folder. difference: two such results beside each other. It knows the command line and the
files that it leaves, and no module of igcnas, so that it measures any commit.
"""
