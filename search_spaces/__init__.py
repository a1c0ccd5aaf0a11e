"""Search spaces: one value SPACE a file and nothing else. Copy one, change it, pass its path as --space."""
