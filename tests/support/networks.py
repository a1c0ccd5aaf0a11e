"""Small networks of every family and every kind of grouping, for tests of what runs or writes a network."""

from __future__ import annotations

from functools import cache

from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.budget import macs_budget
from igcnas.network.grouping import DynamicChannels
from igcnas.network.literature import family
from igcnas.search.proposals import Proposer, SpaceDomain
from igcnas.search.space import known_spaces, load_space


@cache
def searched(name: str) -> list[Architecture]:
    """Two networks of each block family of a space, drawn at random."""
    space = load_space(name)
    domain = SpaceDomain(space=space, input_shape=(1, 8, 8), num_classes=5, budget=macs_budget(150_000), fill=0.3)
    found: dict[str, list[Architecture]] = {}
    for seed in range(12):
        proposer = Proposer(
            domain, budget=150_000, lowest_target=50_000, spread=False, sampler="random", seed=seed, images=100
        )
        for candidate in proposer.samples(6):
            found.setdefault(candidate.network.family, []).append(candidate.network)
        if len(found) == len(space.families) and all(len(networks) > 1 for networks in found.values()):
            break
    return [network for networks in found.values() for network in networks[:2]]


def dynamic() -> Architecture:
    """Blocks whose channels each image chooses by their saliency."""
    block = BasicBlock(grouping=DynamicChannels(heads=2, keep=0.5))
    stages = (Stage(block=block, width=8, repeats=2), Stage(block=block, width=8, repeats=1, stride=2))
    return Architecture(family="dgc", input_shape=(3, 9, 7), num_classes=4, stem_channels=8, stages=stages)


@cache
def all_kinds() -> dict[str, Architecture]:
    """By name: of every space, DGC, a dense one, and one with pooling; among them every learned grouping."""
    found = [network for space in known_spaces() for network in searched(space)]
    condensenet = family("condensenet").build(size=8, channels=1, classes=5, stages="2-2-1", growth="4-8-8")
    return {f"{one.family}-{one.id}": one for one in (*found, dynamic(), condensenet)}
