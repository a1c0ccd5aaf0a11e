"""The search spaces that come with igcnas, one a module. In the repository they lie in search_spaces/ beside igcnas/.

A wheel holds them here, in place of this file.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "search_spaces")]
