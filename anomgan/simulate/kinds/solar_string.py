"""A string of solar modules after the single-diode model: voltage and current at its maximum power point and beside it.

All in shares of the string's voltage and current at the maximum power point under standard test conditions (1000 W/m²,
25 °C). Formulas: Batzelis and Papathanassiou, "A method for the analytical extraction of the single-diode PV model
parameters", 2016 (maximum power point by Lambert's function, series resistance included).
"""

from typing import NamedTuple

import numpy as np

from anomgan.records import Floats

OPEN_CIRCUIT, THERMAL, SERIES = 1.197, 0.047, 0.0458
"""open-circuit and thermal voltage, and series resistance"""
SHORT_CIRCUIT = 1.045
SHUNT = 3000.0
"""what pulls the voltage down in the dark"""
BYPASS = 0.05
"""what a module's bypass diodes drop"""


class Cell(NamedTuple):
    """The maximum power point (volts, amps) and what the curve through it follows from, each of the same shape."""

    open_circuit: Floats
    thermal: Floats
    photo: Floats
    volts: Floats
    amps: Floats


def cell(light: Floats, celsius: Floats) -> Cell:
    """The maximum power point at an irradiance in kW/m² and a module temperature."""
    lit, warmer = np.maximum(light, 1e-6), celsius - 25.0
    thermal = THERMAL * (1.0 + warmer / 298.15)
    photo = SHORT_CIRCUIT * lit * (1.0 + 0.0005 * warmer)
    open_circuit = OPEN_CIRCUIT * (1.0 - 0.0026 * warmer) + thermal * np.log(lit)
    reach = 1.0 + open_circuit / thermal
    w = reach - np.log(reach)
    for _ in range(2):  # Newton on w + ln w = reach: Lambert's function of e to the reach
        w = w * (1.0 + reach - np.log(w)) / (1.0 + w)
    amps = photo * (1.0 - 1.0 / w)
    return Cell(open_circuit, thermal, photo, thermal * (w - 1.0) - SERIES * amps, amps)


def volts_at(point: Cell, amps: Floats) -> Floats:
    """The voltage at a current below the short circuit's."""
    return point.open_circuit + point.thermal * np.log1p(-amps / point.photo) - SERIES * amps


def throttled(point: Cell, share: Floats) -> Floats:
    """The share of its best current at which a string gives a share (0 to 1] of its best power, on the side of the open
    circuit, where inverters throttle.
    """
    gap = point.photo - point.amps
    bend = 2.0 * (point.thermal / gap + SERIES) + point.amps * point.thermal / gap**2
    near = 1.0 - np.sqrt((1.0 - share) * 2.0 * point.volts / (bend * point.amps))
    x = np.maximum(share * point.volts / point.open_circuit, near)
    for _ in range(4):
        amps = x * point.amps
        volts = volts_at(point, amps)
        slope = volts - amps * (point.thermal / (point.photo - amps) + SERIES)
        x = np.minimum(x - (x * volts - share * point.volts) / np.maximum(slope, 0.02 * point.volts), 1.0)
    return x


def shaded(point: Cell, shade: Cell, share: Floats) -> tuple[Floats, Floats]:
    """Volts and amps of a string of which a share lies in the shade: its bypass diodes carry the current past those
    modules, or all modules carry what the shaded ones can, whichever gives more.
    """
    bypassed = (1.0 - share) * point.volts - BYPASS * share
    amps = np.minimum(shade.amps, point.amps)
    together = share * volts_at(shade, amps) + (1.0 - share) * volts_at(point, amps)
    dim = amps * together > point.amps * bypassed
    return np.where(dim, together, bypassed), np.where(dim, amps, point.amps)


def idle_volts(point: Cell) -> Floats:
    """Of a string that carries no current."""
    return 1.0 / (1.0 / point.open_circuit + 1.0 / (SHUNT * point.photo))
