"""Faults of a disk, done for real to the commands of igcnas; `benchmarks.full_disk` is the command.

disks: a small file system, and what comes to it. works: the commands, and what must be there when they have ended.
trying: a command under a fault, again and again until it ends.
"""
