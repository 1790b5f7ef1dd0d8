"""The other unit in which a sensor of a given unit is told by mistake: another setting, another firmware.

Of the units that the same quantity has, the one that it is mixed up with most; between a unit and its thousandth, that
is the choice that leaves numbers of an ordinary size.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class OtherUnit(NamedTuple):
    """value * scale + offset is the same quantity in `unit`."""

    unit: str
    scale: float
    offset: float = 0.0

    def resolution(self, given: float) -> float:
        """The decimal step in which a sensor of a resolution is told in this unit; 0 where it has none."""
        if given <= 0:
            return 0.0
        return float(10.0 ** math.floor(math.log10(given * self.scale) + 1e-9))


OTHER_UNITS: Mapping[str, OtherUnit] = MappingProxyType(
    {
        "°C": OtherUnit("°F", 1.8, 32.0),
        "bar": OtherUnit("psi", 14.503774),
        "Pa": OtherUnit("mbar", 0.01),
        "m³/h": OtherUnit("l/s", 1.0 / 3.6),
        "m": OtherUnit("ft", 3.2808399),
        "mm/s": OtherUnit("in/s", 1.0 / 25.4),
        "rpm": OtherUnit("Hz", 1.0 / 60.0),
        "W": OtherUnit("kW", 0.001),
        "kW": OtherUnit("W", 1000.0),
        "kWh": OtherUnit("MJ", 3.6),
        "var": OtherUnit("kvar", 0.001),
        "A": OtherUnit("mA", 1000.0),
        "V": OtherUnit("mV", 1000.0),
        "W/m²": OtherUnit("kW/m²", 0.001),
        "µg/m³": OtherUnit("mg/m³", 0.001),
    }
)
