"""Placeholder until the branch with canonical ids is merged."""

from igcnas.architecture import Architecture


def canonical_id(architecture: Architecture) -> str:
    """The id."""
    return architecture.id
