"""Microcontroller boards, how fast they were measured to be, and the budget that follows by a rule of thumb.

Facts: core, memory, and the milliseconds for the image classification of MLPerf Tiny, a ResNet-8 of 12.5 million
multiply-accumulates in int8 (MLCommons, results of rounds 0.7 to 1.3). Where no result was published, the row says so
and its rate is derived from the clock and the cycles of its relatives. Rule of thumb: other networks run at about the
same rate. Person detection, a MobileNet, ran at 0.38 to 1.14 times that rate, and for grouped convolutions no figures
were found: a budget may be off by a factor of two to three, and only the board itself can tell.
"""

from __future__ import annotations

from dataclasses import dataclass

_MEASURED_MACS = 12_501_632


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A board: facts.

    milliseconds: of one picture, None where no result was published; then cycles_a_mac is derived.
    """

    name: str
    core: str
    mhz: int
    ram_kb: int
    flash_kb: int
    runtime: str = ""
    milliseconds: float | None = None
    cycles_a_mac: float = 0.0

    @property
    def macs_a_second(self) -> float:
        """As measured; else derived, the slower end."""
        if self.milliseconds is None:
            return self.mhz * 1e6 / self.cycles_a_mac
        return 1000 * _MEASURED_MACS / self.milliseconds

    def budget(self, pictures_a_second: float) -> float:
        """Multiply-accumulates of a network that answers so often: a rule of thumb."""
        return self.macs_a_second / pictures_a_second

    @property
    def params(self) -> float:
        """Parameters that fit: a rule of thumb.

        Half of the flash is left to the program. In int8 a small network takes up to three bytes a parameter:
        262 kB were measured for an IGC V3 of 86,000, most of it scales and tensors' descriptions.
        """
        return self.flash_kb * 1000 / 2 / 3


def _board(name: str, core: str, mhz: int, ram: int, flash: int, runtime: str, milliseconds: float) -> Device:
    return Device(name=name, core=core, mhz=mhz, ram_kb=ram, flash_kb=flash, runtime=runtime, milliseconds=milliseconds)


DEVICES = (
    _board("NUCLEO-G0B1RE", "Cortex-M0+", 64, 144, 512, "HALE", 1522),
    Device(name="Arduino Nano 33 BLE", core="Cortex-M4F", mhz=64, ram_kb=256, flash_kb=1024, cycles_a_mac=3.7),
    _board("nRF5340-DK", "Cortex-M33", 128, 512, 1024, "microTVM, CMSIS-NN", 318),
    _board("EK-RA6M4", "Cortex-M33", 200, 256, 1024, "unnamed", 246),
    _board("NUCLEO-L4R5ZI", "Cortex-M4", 120, 640, 2048, "X-CUBE-AI 9", 165),
    _board("NUCLEO-U575ZI", "Cortex-M33", 160, 768, 2048, "X-CUBE-AI 10.2", 109),
    _board("DISCO-F746NG", "Cortex-M7", 216, 320, 1024, "HALE", 63),
    _board("NUCLEO-H7A3ZI", "Cortex-M7", 280, 1190, 2048, "X-CUBE-AI 9", 41),
    _board("EK-RA8D1", "Cortex-M85", 480, 1024, 2048, "TFLM", 8.5),
)
