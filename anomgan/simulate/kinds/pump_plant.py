"""The pump's hydraulics: its curve and its operating point, the net positive suction head, the system against it.

The curve and its efficiency obey the affinity laws. Where the suction head that is available (NPSH: atmosphere and
suction pressure above the water's vapour pressure) comes near what the pump requires, bubbles grow in the impeller's
eye: at the required head, which is defined so, the pump has lost 3 % of its own. A worn impeller turns less of its
power into head, a leak takes its share between the pump and the flow meter, and a valve downstream that is open or shut
too far moves the system's curve, and with it the operating point off the pump's best one.
Gülich, Centrifugal Pumps, chapters 2, 4, 6.2 (NPSH), 10 and 14; ISO 9906 (NPSH3).
"""

import math
from typing import NamedTuple

import numpy as np

from anomgan.records import Floats

RHO_G = 9810.0
"""weight of a cubic metre of water, N"""
BAR = 1e5
RATED_RPM = 3000.0
"""no-load speed at the converter's full frequency"""
RATED_SLIP = 0.03
MAGNETISING = 0.45
"""share of the rated current that flows without load"""
VOLTAGE = 400.0
POWER_FACTOR = 0.87
CONVERTER_EFFICIENCY = 0.97
ATMOSPHERE_M = 10.33 - 0.24
"""what air presses on the water of the break tank, above the vapour pressure of water at 20 °C"""
BOILS_BAR = -ATMOSPHERE_M * RHO_G / BAR
"""gauge: the water boils before its pressure falls any further"""
NPSH_REQUIRED_M = 3.6
"""at rated flow and speed"""
INCEPTION = 0.5
"""the required head as a share of the available one from which on bubbles make themselves felt"""
COLLAPSE = 0.6
"""the share of its head that a pump full of vapour loses"""
WATER_COLUMN_S = 1.5
"""time constant of the flow at rated duty"""
UNHINDERED = 2.5
"""flow at which no head is left, and then some, as a multiple of the rated one"""


class Pump(NamedTuple):
    """Parameters, each (D,). Flows in m³/s, heads in m, pressures in bar (gauge), powers in W."""

    flow: Floats
    head: Floats
    best_efficiency: Floats
    motor_rated: Floats
    swing: Floats
    batches: Floats
    batch_draw: Floats
    batch_phase: Floats
    day_phase: Floats
    tank_m: Floats
    suction_loss: Floats
    static_bar: Floats
    ambient: Floats
    sheds: Floats
    """W/K that the motor gives off at full speed"""
    motor_time_s: Floats
    imbalance: Floats
    steepness: Floats
    """by how much the pump's pressure falls with the square of the flow, bar/(m³/s)²"""
    inertia: Floats
    """of the water column, bar s²/m³"""


class Troubles(NamedTuple):
    """The severities of the pump's faults, each (D,), in the order of `process_faults`. 0 = healthy."""

    blockage: Floats
    """of the strainer in the suction line"""
    bearing_wear: Floats
    leak: Floats
    """between the pump and the flow meter; 1 = a quarter of the rated flow at the rated pressure"""
    cavitation: Floats
    """the suction falls, as of a break tank that runs empty; 1 = by nearly ten metres"""
    off_curve: Floats
    """1 = the consumers' valves take twice and a half the flow at the same pressure, -1 = as little of it"""
    impeller_wear: Floats


class Condition(NamedTuple):
    """What the tank's level and the troubles make of the pumps for a while, each (D,)."""

    supply: Floats
    """suction pressure without flow, bar"""
    suction_loss: Floats
    shut_off: Floats
    """head without flow at full speed, m"""
    best_efficiency: Floats
    friction: Floats
    """at full speed, W"""


class Duty(NamedTuple):
    """The operating point, each (D,): powers in W, current in A."""

    head: Floats
    suction: Floats
    discharge: Floats
    hydraulic: Floats
    shaft: Floats
    losses: Floats
    electric: Floats
    current: Floats
    rpm: Floats
    load: Floats
    """flow through the pump as a share of the best efficiency point's at this speed"""
    bubbles: Floats
    """0 = none, 1 = as many as cost 3 % of the head"""


def leaks(pump: Pump, discharge: Floats, leak: Floats) -> Floats:
    """m³/s that leave through the leak, a hole under pressure: Torricelli; no more than a pump throws unhindered."""
    rated = RHO_G * pump.head / BAR
    out = 0.25 * leak * pump.flow * np.sqrt(np.maximum(discharge, 0.0) / rated)
    return np.minimum(out, UNHINDERED * pump.flow)


def npsh_available(suction: Floats) -> Floats:
    """m, from the suction pressure in bar (gauge)."""
    return np.asarray(ATMOSPHERE_M + suction * BAR / RHO_G)


def npsh_required(load: Floats, speed: Floats) -> Floats:
    """m: with the square of the speed as every head, and more of it the more flows."""
    return np.asarray(NPSH_REQUIRED_M * speed**2 * (0.55 + 0.45 * load**2))


def condition(pump: Pump, tank: Floats, troubles: Troubles) -> Condition:
    """What the tank's level in m and the troubles make of the pumps."""
    worn = troubles.impeller_wear
    return Condition(
        supply=np.asarray(RHO_G * (tank - 9.8 * troubles.cavitation) / BAR),
        suction_loss=pump.suction_loss * (1.0 + 6.0 * troubles.blockage),
        shut_off=1.25 * pump.head * (1.0 - 0.1 * worn),
        best_efficiency=pump.best_efficiency * (1.0 - 0.12 * np.minimum(worn, 4.0)),
        friction=(0.02 + 0.04 * troubles.bearing_wear) * pump.motor_rated,
    )


def duty(pump: Pump, now: Condition, flow: Floats, rate: Floats, motor_temperature: Floats) -> Duty:
    """The operating point at a flow through the pump and a converter frequency."""
    share = flow / pump.flow
    squared = share**2
    # speed and slip depend on each other; one round of substitution is exact to 0.1 %
    speed = rate * (1.0 - RATED_SLIP * 0.7)
    load = share / speed
    suction = np.maximum(now.supply - now.suction_loss * squared, BOILS_BAR)
    scarce = npsh_required(load, speed) / np.maximum(npsh_available(suction), 0.1)
    bubbles = np.maximum(scarce - INCEPTION, 0.0) / (1.0 - INCEPTION)
    # an impeller full of bubbles gives less head, and does less with its power
    whole = 1.0 - np.minimum(0.03 * bubbles**2, COLLAPSE)
    head = (now.shut_off * speed**2 - 0.25 * pump.head * squared) * whole
    # efficiency is a parabola with its top at the best efficiency point, and shaft power stays finite at no flow
    efficiency = now.best_efficiency * np.maximum(load * (2.0 - load), 0.05) * whole
    hydraulic = RHO_G * flow * head
    friction = now.friction * speed
    shaft = hydraulic / efficiency + friction
    torque = shaft / speed / pump.motor_rated  # as a share of the rated one
    rated_current = pump.motor_rated / (0.89 * math.sqrt(3.0) * VOLTAGE * POWER_FACTOR)
    drawn = np.sqrt(MAGNETISING**2 + (1.0 - MAGNETISING**2) * torque**2)
    copper = 0.065 * pump.motor_rated * drawn**2 * (1.0 + 0.0039 * (motor_temperature - 70.0))
    iron = 0.035 * pump.motor_rated * (rate * np.sqrt(rate))  # to the power of 1.5, which takes twenty times as long
    return Duty(
        head=head,
        suction=suction,
        discharge=suction + (RHO_G / BAR) * head,
        hydraulic=hydraulic,
        shaft=shaft,
        losses=copper + iron + friction,
        electric=(shaft + copper + iron) / CONVERTER_EFFICIENCY,
        current=rated_current * drawn,
        rpm=RATED_RPM * rate * (1.0 - RATED_SLIP * torque),
        load=load,
        bubbles=bubbles,
    )


def set_point(pump: Pump, smooth_flow: Floats) -> Floats:
    """The discharge pressure that the controller aims at, bar."""
    rated_bar = RHO_G * pump.head / BAR
    return 0.2 + rated_bar * (0.72 + 0.28 * (smooth_flow / pump.flow) ** 2)


def resistance(pump: Pump, opening: Floats) -> Floats:
    """What the consumers' valves and the mains hold against the flow, bar per (m³/s)²."""
    return 0.65 * RHO_G * pump.head / BAR / (pump.flow * opening) ** 2
