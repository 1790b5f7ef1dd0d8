"""A centrifugal pump with its motor on a frequency converter, feeding consumers from a break tank.

The pump's curve meets the system's: consumers open and close, the water column between them has inertia, and a PI
controller turns the speed so that the discharge pressure follows a set point that rises with the flow (proportional
pressure). Efficiency follows from the duty point, shaft power from efficiency, current and losses from shaft power,
the motor's temperature from its losses, vibration from speed and from the distance to the best efficiency point.
The hydraulics are in `pump_plant`; the induction motor follows its equivalent circuit.
"""

import math
from typing import NamedTuple

import numpy as np
from pydantic import Field

from anomgan.config import Table
from anomgan.records import Floats
from anomgan.simulate.almanac import Moments
from anomgan.simulate.kind import Channel, Inputs, Kind, ProcessFault, substeps, wander, within
from anomgan.simulate.kinds.pump_plant import (
    BAR,
    RHO_G,
    WATER_COLUMN_S,
    Pump,
    Troubles,
    condition,
    duty,
    leaks,
    resistance,
    set_point,
)

MAX_STEP_S = 2.0
BURNT_C = 1000.0
"""a motor gets no hotter: its resistance, which rises with it, would heat it without end"""
SETTLED_S = 120.0
"""with the same demand for so long, flow and controller are steady, within what their sensors hide"""


class PumpSettings(Table):
    """`[devices.settings]` of a pump."""

    flow_m3h: float = Field(40.0, gt=0)
    """rated flow"""
    head_m: float = Field(32.0, gt=0)
    """rated head"""
    swing: float = Field(0.2, ge=0, le=0.4)
    """how far the consumers' demand swings over the day, as a share of the rated one"""
    batches_per_day: int = Field(8, ge=0)
    """how often a day a large consumer draws, each time for two fifths of the interval; a little more or less often at
    each pump, so that it keeps no exact hours"""
    batch_draw: float = Field(0.22, ge=0, le=0.5)
    """what it draws, as a share of the rated demand"""


class PumpState(NamedTuple):
    """State, each (D,). `rate` is the converter's frequency as a share of the full one."""

    flow: Floats
    rate: Floats
    integral: Floats
    smooth_flow: Floats
    batch: Floats
    motor_temperature: Floats
    discharge: Floats
    losses: Floats
    fast: Floats
    slow: Floats
    tank: Floats
    weather: Floats
    shake: Floats


def parameters(settings: PumpSettings, traits: Floats) -> Pump:
    """One pump per row of traits (D, 13)."""
    t = traits.T
    flow = settings.flow_m3h / 3600.0 * np.exp(0.04 * t[0])
    head = settings.head_m * np.exp(0.03 * t[1])
    best = 0.72 * np.exp(0.02 * t[2])
    motor_rated = 1.25 * RHO_G * flow * head / best
    suction_loss = 0.06 * np.exp(0.1 * t[8])
    same = np.ones_like(flow)
    return Pump(
        flow=flow,
        head=head,
        best_efficiency=best,
        motor_rated=motor_rated,
        swing=settings.swing * np.exp(0.1 * t[3]),
        batches=settings.batches_per_day * np.exp(0.02 * t[12]),
        batch_draw=settings.batch_draw * np.exp(0.1 * t[4]),
        batch_phase=t[5] % 1.0,
        day_phase=0.02 * t[6],
        tank_m=3.0 + 0.3 * t[7],
        suction_loss=suction_loss,
        static_bar=0.35 * RHO_G * head / BAR,
        ambient=23.0 + 1.5 * t[9],
        sheds=0.12 * motor_rated / (48.0 * np.exp(0.06 * t[10])),
        motor_time_s=900.0 * same,
        imbalance=1.6 * np.exp(0.15 * t[11]),
        steepness=(0.25 * RHO_G * head / BAR + suction_loss) / flow**2,
        inertia=WATER_COLUMN_S * 1.8 * RHO_G * head / BAR / flow,
    )


def course(pump: Pump, when: Moments) -> Floats:
    """(R, 3, D): the demand of the day, whether the batch consumer draws, the daily part of the room's warmth."""
    day = 2 * np.pi * (when.days[:, None] + pump.day_phase)  # (R, D)
    demand = 0.66 - pump.swing * (0.75 * np.cos(day - 0.6) + 0.35 * np.cos(2 * day + 0.4))
    turn = when.days[:, None] * pump.batches + pump.batch_phase
    draws = (turn % 1.0 < 0.4) & (pump.batches > 0)
    warmth = -3.0 * np.cos(day - 0.8)
    return np.stack([demand, draws.astype(np.float64), warmth], axis=1)


def rest(pump: Pump, inputs: Inputs) -> PumpState:
    """Running steadily at the demand of the moment."""
    zero = np.zeros_like(pump.flow)
    opening = inputs.course[0]
    flow = pump.flow * opening
    rate = np.sqrt(0.7 + 0.3 * opening**2)
    room = pump.ambient + inputs.course[2]
    return PumpState(
        flow=flow,
        rate=rate,
        integral=rate,
        smooth_flow=flow,
        batch=inputs.course[1],
        motor_temperature=room + 0.1 * pump.motor_rated / pump.sheds,
        discharge=set_point(pump, flow),
        losses=0.1 * pump.motor_rated,
        fast=zero,
        slow=zero,
        tank=zero,
        weather=zero,
        shake=zero,
    )


def step(pump: Pump, state: PumpState, inputs: Inputs, period_s: float) -> tuple[PumpState, tuple[Floats, ...]]:
    """One period of the plant: consumers, water column, controller, motor; then what perfect sensors show."""
    demand, draws, warmth = inputs.course
    troubles = Troubles(*inputs.faults)
    fast = wander(state.fast, inputs.shocks[0], period_s, 12.0)
    slow = wander(state.slow, inputs.shocks[1], period_s, 240.0)
    level = wander(state.tank, inputs.shocks[2], period_s, 400.0)
    weather = wander(state.weather, inputs.shocks[3], period_s, 1800.0)
    shake = wander(state.shake, inputs.shocks[4], period_s, 2.0)
    tank = pump.tank_m + 0.12 * level - 0.15 * (demand - 0.66)  # the tank is drawn down when much is taken
    room = pump.ambient + warmth + 0.25 * weather
    disturbance = demand + 0.012 * fast + 0.012 * slow
    valves = np.exp(0.9 * within(troubles.off_curve, -1.5, 1.5))
    now = condition(pump, tank, troubles)
    count, dt = substeps(period_s, MAX_STEP_S)
    stroke, smoothing = 1.0 - math.exp(-dt / 4.0), 1.0 - math.exp(-dt / 5.0)
    flow, rate, integral, smooth, batch, motor, discharge, losses = state[:8]
    for _ in range(stepped := min(count, math.ceil(SETTLED_S / dt))):
        batch = batch + (draws - batch) * stroke  # its valve takes seconds to move
        opening = within(disturbance + pump.batch_draw * batch, 0.2, 1.4) * valves
        # the water column: driven by what is left of the pump's pressure, linearly implicit so that any step is stable
        system = resistance(pump, opening)
        surplus = discharge - pump.static_bar - system * flow**2
        slope = 2.0 * flow * (system + pump.steepness)
        flow = np.maximum(flow + dt * surplus / (pump.inertia + dt * slope), 0.02 * pump.flow)
        # the controller: proportional pressure, PI, limited ramp
        smooth = smooth + (flow - smooth) * smoothing
        error = set_point(pump, smooth) - discharge
        integral = within(integral + 0.05 * dt * error, 0.5, 1.12)
        wanted = within(integral + 0.04 * error, 0.5, 1.12)
        rate = rate + within(wanted - rate, -0.05 * dt, 0.05 * dt)
        # the motor: losses in, air out; its own fan cools better at speed
        sheds = pump.sheds * (0.4 + 0.6 * rate)
        motor = motor + dt * (losses - sheds * (motor - room)) / (pump.sheds * pump.motor_time_s + dt * sheds)
        motor = np.minimum(motor, BURNT_C)
        point = duty(pump, now, flow + leaks(pump, discharge, troubles.leak), rate, motor)
        discharge, losses = point.discharge, point.losses
    if stepped < count:  # a long period's rest: only the motor goes on warming or cooling, in as many steps at once
        kept = (1.0 + dt * sheds / (pump.sheds * pump.motor_time_s)) ** (stepped - count)
        motor = np.minimum(room + losses / sheds + (motor - room - losses / sheds) * kept, BURNT_C)
    # unbalance grows with the square of the speed and with what the impeller has lost unevenly, recirculation with the
    # distance to the best efficiency point; a worn bearing, a starved suction and collapsing bubbles add their own
    unbalance = pump.imbalance * rate**2 * (1.0 + 0.4 * troubles.impeller_wear)
    recirculation = 2.4 * (point.load - 1.0) * rate**2
    bearing = (0.5 + 1.8 * troubles.bearing_wear) * rate
    starved = 3.0 * within(-0.05 - point.suction, 0.0, 0.8)
    crackle = np.minimum(point.bubbles, 3.0)
    shaken = np.sqrt(unbalance**2 + recirculation**2 + bearing**2 + starved**2 + (1.5 * crackle) ** 2)
    vibration = shaken * np.maximum(1.0 + (0.03 + 0.12 * crackle) * shake, 0.2)
    pulse = crackle * inputs.shocks[4]  # bubbles that collapse throb in the water, too
    suction, shown = point.suction + 0.01 * pulse, discharge * (1.0 + 0.012 * pulse)
    power_kw = point.electric / 1000.0
    seen = (flow * 3600.0, suction, shown, point.rpm, point.current, power_kw, motor, vibration)
    after = PumpState(flow, rate, integral, smooth, batch, motor, discharge, losses, fast, slow, level, weather, shake)
    return after, seen


PUMP: Kind[PumpSettings, Pump, PumpState] = Kind(
    name="pump",
    channels=(
        Channel("flow", "m³/h", 0.05, 0.15, 0.0, 80.0, bias=0.2),
        Channel("suction_pressure", "bar", 0.002, 0.003, -1.0, 3.0, bias=0.005),
        Channel("discharge_pressure", "bar", 0.005, 0.012, -0.5, 10.0, bias=0.01),
        Channel("speed", "rpm", 1.0, 2.0, 0.0, 4000.0),
        Channel("motor_current", "A", 0.02, 0.05, 0.0, 40.0, bias=0.05),
        Channel("motor_power", "kW", 0.01, 0.03, 0.0, 20.0, bias=0.02),
        Channel("motor_temperature", "°C", 0.1, 0.08, -20.0, 180.0, bias=0.3, lively=False),
        Channel("vibration", "mm/s", 0.01, 0.02, 0.0, 25.0),
    ),
    process_faults=(
        ProcessFault("blockage", ("suction_pressure", "speed", "motor_power", "motor_current")),
        ProcessFault("bearing_wear", ("vibration", "motor_temperature", "motor_current", "motor_power")),
        ProcessFault("leak", ("suction_pressure", "motor_current", "motor_power", "speed", "motor_temperature")),
        ProcessFault("cavitation", ("suction_pressure", "vibration", "discharge_pressure")),
        ProcessFault(
            "off_curve", ("flow", "vibration", "motor_power", "motor_current", "suction_pressure"), signed=True
        ),
        ProcessFault("impeller_wear", ("speed", "motor_power", "vibration", "motor_current")),
    ),
    settings=PumpSettings,
    traits=13,
    shocks=5,
    chances=0,
    parameters=parameters,
    course=course,
    rest=rest,
    step=step,
    max_step_s=MAX_STEP_S,
)
