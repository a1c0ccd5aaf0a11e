"""A network as one C99 file without dependencies: model.c, its header, a Makefile and a test."""
