"""Progress of long commands, one module a command, on a terminal or in a log."""
