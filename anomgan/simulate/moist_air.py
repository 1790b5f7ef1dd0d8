"""How much water air can hold, at sea level: the Magnus formula as WMO No. 8 gives it."""

import numpy as np

from anomgan.records import Floats

PRESSURE_PA = 101_325.0
RATIO = 0.622
"""of the molar masses of water and air"""


def saturation_pa(celsius: Floats) -> Floats:
    """Vapour pressure of water at which air is saturated (Magnus), Pa."""
    return np.asarray(611.2 * np.exp(17.62 * celsius / (243.12 + celsius)))


def saturated_air(celsius: Floats) -> Floats:
    """Water that a kilogram of dry air can hold, kg."""
    vapour = saturation_pa(celsius)
    return np.asarray(RATIO * vapour / (PRESSURE_PA - vapour))


def relative_humidity(water: Floats, celsius: Floats) -> Floats:
    """% at a temperature of air that holds `water` kg per kg."""
    return np.asarray(100.0 * water * PRESSURE_PA / (RATIO + water) / saturation_pa(celsius))
