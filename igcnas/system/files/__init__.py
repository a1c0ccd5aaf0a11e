"""Files that are there whole or not at all, and the faults of a machine that keep them from it.

Convention: a file is written under another name beside its own, flushed to the disk, and renamed. The other name is
locked while somebody writes there, so what no process has locked was left by one that was killed; the next one that
writes the same file takes it away. What the system refuses (a full disk, a quota, a folder that may not be written) is
a MachineError that names the file and the reason.

A plain write follows links, keeps the mode of a file that is there, and goes into a device as it is; so do these.
"""

from igcnas.system.files.disk import turn
from igcnas.system.files.faults import deadly_fault, describe_fault, fault, going_on, machine_fault, naming_faults
from igcnas.system.files.folders import make_folder, replacing_folder, restore_folder
from igcnas.system.files.whole import append, check_writable, read_back, remove, replacing, write_text, write_whole

__all__ = [
    "append",
    "check_writable",
    "deadly_fault",
    "describe_fault",
    "fault",
    "going_on",
    "machine_fault",
    "make_folder",
    "naming_faults",
    "read_back",
    "remove",
    "replacing",
    "replacing_folder",
    "restore_folder",
    "turn",
    "write_text",
    "write_whole",
]
