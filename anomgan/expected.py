"""What channels that an event blames should have shown, row by row."""

from dataclasses import dataclass

from anomgan.records import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Some rows of a device, imputed from its other channels and the rows before.

    times (T,); middle (T, C) of what is likely in the order of `channels`, and low, high (T, C): 90 % of it lies
    between them.
    """

    device: str
    site: str
    times: Floats
    channels: tuple[str, ...]
    middle: Floats
    low: Floats
    high: Floats
