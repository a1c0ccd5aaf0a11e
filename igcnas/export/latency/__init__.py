"""How long an exported network takes: timed in the runtime that will run it, one at a time, and remembered.

setting: by which runtime, how many images, threads, where. running: the network in that runtime. measuring: median and
spread of single calls, and whether the machine was quiet. quiet: one timing at a time on a machine. memory: what was
timed before. timing: all of it. A time holds for its setting, the versions and the machine, and for nothing else.
"""
