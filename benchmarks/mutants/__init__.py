"""Would a test see it? Small faults in the code, one at a time, and the tests that reach them.

parts: what is changed, and which test files answer for it. changes: the faults. processes: work in forked processes.
tests: the tests of a part, in such a process. reach: which lines each of them reaches. trying: a fault against
the tests that reach it. outcomes: what became of it, in a file. page: results/mutation.md.
"""
