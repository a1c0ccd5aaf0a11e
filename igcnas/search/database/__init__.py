"""Studies whose records a PostgreSQL server has: Optuna's RDBStorage, and what a search needs that must not lose any.

address: where they are, without a password. driver: what speaks to the server, an extra. faults: what an error of it
means. lock: one controller a study. serving: the storage, which waits for a server that is away. moving: from a journal
to a server and back. fetching: the folder of a study that another machine began.
"""
