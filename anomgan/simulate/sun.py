"""Where the sun stands, by latitude, season and hour, and what it sends through a clear sky.

Angles after Duffie and Beckman, Solar Engineering of Thermal Processes, chapter 1; declination and equation of time
after Spencer 1971; air mass after Kasten and Young 1989; the beam after Meinel and Meinel 1976; the diffuse sky after
Liu and Jordan 1960.
"""

from typing import NamedTuple

import numpy as np

from anomgan.records import Floats
from anomgan.simulate.almanac import Moments
from anomgan.simulate.kind import within

SOLAR_CONSTANT = 1361.0
"""W/m² outside the atmosphere"""


class Sun(NamedTuple):
    """Of a clear sky, (R, D): sine of the height, cosine of the angle to a surface's normal, W/m² of the beam across
    its direction and of the diffuse sky on level ground.
    """

    height: Floats
    incidence: Floats
    beam: Floats
    diffuse: Floats


def sun(latitude: Floats, longitude: Floats, tilt: Floats, facing: Floats, when: Moments) -> Sun:
    """Where the sun stands and what a clear sky sends at D places, R moments; angles (D,) in radians. facing: of a
    surface, clockwise from the north; tilt: 0 = level.
    """
    year = 2 * np.pi * when.year[:, None]
    declination = 0.006918 - 0.399912 * np.cos(year) + 0.070257 * np.sin(year) - 0.006758 * np.cos(2 * year)
    declination = declination + 0.000907 * np.sin(2 * year) - 0.002697 * np.cos(3 * year) + 0.00148 * np.sin(3 * year)
    equation = 0.000075 + 0.001868 * np.cos(year) - 0.032077 * np.sin(year)
    equation = equation - 0.014615 * np.cos(2 * year) - 0.04089 * np.sin(2 * year)  # of time, in radians
    hour = 2 * np.pi * (when.universal_s[:, None] / when.day_s - 0.5) + equation + longitude
    up = np.sin(declination) * np.sin(latitude) + np.cos(declination) * np.cos(latitude) * np.cos(hour)
    south = np.cos(declination) * np.sin(latitude) * np.cos(hour) - np.sin(declination) * np.cos(latitude)
    west = np.cos(declination) * np.sin(hour)
    towards = -np.cos(facing) * south - np.sin(facing) * west
    incidence = np.cos(tilt) * up + np.sin(tilt) * towards
    degrees = np.degrees(np.arcsin(within(up, -1.0, 1.0)))
    over = np.maximum(degrees, 0.0)
    mass = 1.0 / (np.maximum(up, 0.0) + 0.50572 * (over + 6.07995) ** -1.6364)
    distance = 1.0 + 0.033 * np.cos(year)
    clear = 0.7**mass**0.678  # Meinel
    lit = (up > 0).astype(np.float64)
    twilight = 3.0 * np.exp(np.minimum(degrees, 0.0) / 1.5) * (degrees > -10.0)
    diffuse = SOLAR_CONSTANT * distance * (0.271 - 0.294 * clear) * np.maximum(up, 0.0)
    return Sun(up, incidence, lit * SOLAR_CONSTANT * distance * clear, diffuse + twilight)
