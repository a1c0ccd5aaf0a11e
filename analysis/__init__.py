"""Studies of the theory and of recorded results; analysis imports igcnas, never the reverse."""
