"""What a convolution asks of a grouping that training decides, whichever kind it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

Marks: TypeAlias = Sequence[int] | None


class Overhead(NamedTuple):
    """What deciding which channels meet costs beside the convolution, for one image: zero where it is decided once.

    hidden: channels that the deciding layers batch-normalize and activate, for counters that count these.
    """

    macs: int = 0
    params: int = 0
    bias_outputs: int = 0
    hidden: int = 0


class Learned(Protocol):
    """A grouping that training decides. Counts are channel pairs; times kernel area they are weights.

    chooses_per_image: whether each image chooses anew; reads_block: by a mean of the input of its block. counter: the
    convention of its authors' counter. torch_module: of a kind of another package.
    """

    kind: ClassVar[str]
    chooses_per_image: ClassVar[bool]
    reads_block: ClassVar[bool]
    counter: ClassVar[str]
    torch_module: ClassVar[str]

    @property
    def exact_macs(self) -> bool:
        """Whether training leaves the multiply-accumulates as they were planned."""
        ...

    @property
    def exact_params(self) -> bool:
        """Whether training leaves the parameters as they were planned."""
        ...

    def connections(self, in_channels: int, out_channels: int) -> int:
        """Pairs that meet in one image: exact or, where training may choose their number, as expected before it."""
        ...

    def kept(self, in_channels: int, out_channels: int) -> int:
        """Pairs that keep a weight after training: the connections, or all where each image chooses among them."""
        ...

    def decision_parameters(self, in_channels: int, out_channels: int) -> int:
        """Parameters that only decide who meets whom and are gone after training, such as assignment logits."""
        ...

    def overhead(self, in_channels: int, out_channels: int, context_channels: int) -> Overhead:
        """What deciding costs in the trained network."""
        ...

    def identity(self, in_channels: int, out_channels: int, context_channels: int) -> tuple[Any, ...] | None:
        """What of this choice makes another network (`canonical_id`); None where nothing is left to choose.

        Then it is a group convolution with as many groups as its connections say.
        """
        ...

    def told_apart(self, in_channels: int, out_channels: int) -> tuple[Marks, Marks]:
        """Marks of the inputs and of the filters by which the choice knows one from another; None: all are alike."""
        ...

    def caption(self, in_channels: int) -> str:
        """What its paper calls this choice, with its numbers, as in FLGC: G = 4 learned groups."""
        ...

    def heads_of(self, out_channels: int) -> tuple[int, ...] | None:
        """The head that makes each filter, where heads choose; else None."""
        ...

    def gate_arguments(self, in_channels: int, context_channels: int) -> dict[str, Any]:
        """What the module that stays after training is made with, beside its shape, where each image chooses."""
        ...
