"""The most that a file, a command line or a keyword may declare, and types that say so to `reading`.

Convention: a bound is far above what any network of the literature or any search needs, and far below what would keep a
process busy for minutes or fill its memory before anybody says no. docs/security.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

try:
    from msgspec import Meta as Meta
except ModuleNotFoundError:  # whoever trains and reads no file needs none: a GPU that is lent for minutes

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Meta:  # type: ignore[no-redef]
        """The same bounds, for `system.checking`."""

        gt: float | None = None
        ge: float | None = None
        lt: float | None = None
        le: float | None = None
        min_length: int | None = None
        max_length: int | None = None


CHANNELS = 2**20  # of a layer, of an image; also groups, repeats, and all else that a network counts
ALL_CHANNELS = 2**21  # of the outputs of all blocks together
WIDTH_PIXELS = 2**16  # height or width of an image
CLASSES = 10**6
BLOCKS = 4096  # of a network; the deepest of the literature has 1,202 layers in 600 blocks
STAGES = 256
BUILT = 2**31  # parameters of a network that is built in memory
KERNEL = 255
FACTORS = 20  # kernels of a product: so many twos make the most channels
MULTIPLIER = 1000.0  # of widths
EPOCHS = 10**6
NETWORKS = 10**6  # of a study
WORKERS = 4096
SEED = 2**63 - 1  # what a file of 64-bit integers holds
BATCH = 2**20
MACS = 10**18  # a budget of a million million MFLOPs
DIGITS = 40  # of a whole number in a file or a keyword
NAME = 255  # characters of a name that becomes a file's; no file system has longer ones
TEXT = 100_000  # characters of any other text in a file

Count = Annotated[int, Meta(ge=0, le=2**62)]
Positive = Annotated[int, Meta(ge=1, le=2**62)]
Epochs = Annotated[int, Meta(ge=1, le=EPOCHS)]
Epoch = Annotated[int, Meta(ge=0, le=EPOCHS)]
Batch = Annotated[int, Meta(ge=1, le=BATCH)]
Seed = Annotated[int, Meta(ge=-SEED - 1, le=SEED)]
Networks = Annotated[int, Meta(ge=0, le=NETWORKS)]
Macs = Annotated[int, Meta(ge=1, le=MACS)]
Channels = Annotated[int, Meta(ge=1, le=CHANNELS)]
Pixels = Annotated[int, Meta(ge=1, le=WIDTH_PIXELS)]
Pad = Annotated[int, Meta(ge=0, le=WIDTH_PIXELS)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
AboveZero = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
BelowOne = Annotated[float, Meta(ge=0, lt=1)]
UpToOne = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]
Text = Annotated[str, Meta(max_length=TEXT)]
Name = Annotated[str, Meta(min_length=1, max_length=TEXT)]
