"""Studies whose records a PostgreSQL server has: Optuna's RDBStorage, and what a search needs that must not lose any.

address: where they are, without a password. faults: what an error of the server means. lock: one controller a study.
serving: the storage, which waits for a server that is away. moving: from a journal to a server and back.
"""
