"""The machine and the outside world: files, folders, memory, streams, and text and values that others wrote.

files: how a file is written, and whose fault it is when it cannot be. folders: where caches go. reading: files read
back as typed data. bounds, checks: the most that anything may declare; checks of frozen data. names, harmless: names
that become folders; text of others for each medium. resources, gpu: cores, memory, and why a GPU is not used. streams,
program, again: output of any encoding; how a program begins and ends; a command that begins again in a fresh process.
extras: packages that one command alone needs.
"""
