"""The parts of a report in words, tables and pictures, one module a section; `composing` puts them in order."""
