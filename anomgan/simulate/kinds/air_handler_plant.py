"""The machine of an air handler, and the rooms behind it: mixing box, filter, coils, fan, controllers; one step of all.

Outside and return air mix, pass filter, heating coil, cooling coil and fan, and reach the rooms through boxes that
throttle. The rooms' controller sets supply temperature and boxes, the supply's one works heating valve, dampers and
cooling valve in sequence, the fan's one holds the pressure before the boxes. Heat is sensible heat. Textbook relations:
ASHRAE Handbook, HVAC Systems and Equipment, chapters 21 (fans), 23 and 27 (coils), and HVAC Applications, chapter 48
(sequences of control); coils by effectiveness and number of transfer units.
"""

from typing import NamedTuple

import numpy as np

from anomgan.records import Floats
from anomgan.simulate.almanac import TRUE_DAY_S
from anomgan.simulate.kind import Inputs, substeps, wander, within

MAX_STEP_S = 15.0
MIXED_S, SUPPLY_S, CASING_S = 15.0, 20.0, 2400.0
"""how fast mixed and supply air and their sensors follow at rated flow, and the unit's room where nothing flows"""
HOT_S, COLD_S, SHED_S = 30.0, 60.0, 4000.0
"""heat of the coils over that of the air at rated flow; what a coil sheds into its casing"""
CHILLED_C = 7.0
NEUTRAL_C, WARMEST_C, COLDEST_C = 18.0, 32.0, 14.0
"""supply temperature where the rooms ask for nothing, for all the heat, for all the cold"""
FAN_PA, INSIDE_PA, CLEAN_PA = 900.0, 350.0, 70.0
"""at rated flow: the fan at full speed, coils and ducts, the clean filter"""
FREE, STEEP = 1.25, 0.25
"""the fan's curve: pressure = FAN_PA (FREE speed² - STEEP flow²)"""
MOTOR_EFFICIENCY = 0.86


class AirHandler(NamedTuple):
    """Parameters, each (D,). Temperatures in °C, heat in W, W/K and J/K, pressures in Pa, flow in m³/s."""

    flow: Floats
    room_c: Floats
    night_c: Floats
    pressure: Floats
    start_h: Floats
    stop_h: Floats
    weekend: Floats
    gains: Floats
    mean_c: Floats
    season_k: Floats
    day_k: Floats
    clock_h: Floats
    air_heat: Floats
    """W/K that the air carries at rated flow"""
    walls: Floats
    windows: Floats
    sun: Floats
    mass: Floats
    room_heat: Floats
    efficiency: Floats
    inside: Floats
    clean: Floats
    dust_phase: Floats
    fresh: Floats
    """least share of outside air while people are there"""
    hot: Floats
    """W/K between hot water and coil with the valve open; `chilled` the same"""
    chilled: Floats


class AirHandlerState(NamedTuple):
    """State, each (D,). Shares in 0..1; `call`: below 0 heat, above 0 outside air, then cold."""

    mixed: Floats
    supply: Floats
    back: Floats
    room: Floats
    mass: Floats
    hot_coil: Floats
    cold_coil: Floats
    pressure: Floats
    speed: Floats
    drive: Floats
    comfort: Floats
    call: Floats
    heating: Floats
    cooling: Floats
    damper: Floats
    economy: Floats
    night: Floats
    front: Floats
    clouds: Floats
    gusts: Floats
    crowd: Floats
    boxes: Floats
    eddies: Floats
    grip: Floats


class Air(NamedTuple):
    """What the fan does, each (D,): flow as a share of the rated one, pressures in Pa, powers in W."""

    flow: Floats
    rise: Floats
    filter: Floats
    duct: Floats
    shaft: Floats
    electric: Floats


def air(unit: AirHandler, speed: Floats, opening: Floats, dust: Floats, fouling: Floats, slip: Floats) -> Air:
    """Where the fan's curve meets filter, coils, ducts and boxes, at a motor speed and an opening of the boxes."""
    wheel = speed * (1.0 - slip)
    filter_pa = unit.clean * (1.0 + dust) * (1.0 + 2.0 * fouling)  # half of it laminar
    boxes = unit.pressure / opening**2
    square, drive = STEEP * FAN_PA + unit.inside + boxes + 0.5 * filter_pa, FREE * FAN_PA * wheel**2
    flow = 2.0 * drive / (0.5 * filter_pa + np.sqrt(0.25 * filter_pa**2 + 4.0 * square * drive))
    rise = drive - STEEP * FAN_PA * flow**2
    load = flow / np.maximum(wheel, 1e-3)
    # efficiency is a parabola of the load, best at rated flow and full speed; so shaft power stays finite at no flow
    shaft = unit.flow * rise * wheel / (unit.efficiency * np.maximum(2.0 - load, 0.3))
    electric = 25.0 + shaft / (1.0 - slip) / MOTOR_EFFICIENCY + 60.0 * speed
    return Air(flow, rise, 0.5 * filter_pa * (flow + flow**2), boxes * flow**2, shaft, electric)


def passes(position: Floats) -> Floats:
    """The share of the water that an equal-percentage valve lets through."""
    return (30.0**position - 1.0) / 29.0


def relax(value: Floats, rates: tuple[Floats | float, ...], targets: tuple[Floats | float, ...], dt: float) -> Floats:
    """What a store of heat comes to that several neighbours pull, each at its rate (1/s): exact for any step."""
    rate = sum(rates)
    target = sum(one * other for one, other in zip(rates, targets, strict=True)) / rate
    settled: Floats = target + (value - target) * np.exp(-rate * dt)
    return settled


def coil(
    unit: AirHandler,
    coil: Floats,
    heat_s: float,
    pull: tuple[Floats, Floats],
    at: tuple[Floats, Floats, Floats],
    dt: float,
) -> Floats:
    """A coil's temperature a moment later, between its water and its air (pull, W/K) and its casing; `at` in °C."""
    heat = unit.air_heat * heat_s
    return relax(coil, (pull[0] / heat, pull[1] / heat, 1.0 / SHED_S), at, dt)


class Weather(NamedTuple):
    """Around the building, each (D,): outside air, the unit's room and the hot water in °C, W of sun on the rooms."""

    outside: Floats
    plant: Floats
    hot_water: Floats
    sun: Floats


def weather(unit: AirHandler, front: Floats, clouds: Floats, gusts: Floats, inputs: Inputs) -> Weather:
    """What it is like outside: the season, the sun through clouds, fronts that pass in days."""
    season, swing, sun = inputs.course[:3]
    covered = 1.0 / (1.0 + np.exp(-0.2 - 1.6 * clouds))
    clear = 1.0 - 0.7 * covered
    outside = unit.mean_c + season + unit.day_k * clear * swing + 2.5 * front + 0.25 * gusts
    hot_water = within(62.0 - outside, 40.0, 72.0)  # the boiler's flow follows the weather
    return Weather(outside, 19.0 + 0.15 * (outside - unit.mean_c), hot_water, unit.sun * sun * clear)


def step(
    unit: AirHandler, state: AirHandlerState, inputs: Inputs, period_s: float
) -> tuple[AirHandlerState, tuple[Floats, ...]]:
    """One period of controllers, fan, dampers, coils and rooms; then what perfect sensors show."""
    people, runs, fresh, dust = inputs.course[3:7]
    fouling, slipping, leak, stuck = inputs.faults
    front, clouds, gusts, crowd, boxes, eddies, grip = (
        wander(value, shock, period_s, lasts_s)
        for value, shock, lasts_s in zip(
            state[-7:], inputs.shocks, (2.5 * TRUE_DAY_S, 9e3, 1200, 1800, 60, 4, 8), strict=True
        )
    )
    around = weather(unit, front, clouds, gusts, inputs)
    gains = unit.gains * (0.06 + 0.94 * people * (1.0 + 0.12 * crowd))
    slip = within(0.01 + slipping * (0.22 + 0.05 * grip), 0.01, 0.8)  # the belt slips and grips again
    count, dt = substeps(period_s, MAX_STEP_S)
    stroke = dt / 90.0
    mixed, supply, back, room, mass, hot_coil, cold_coil, duct, speed, drive = state[:10]
    comfort, call, heating, cooling, damper, economy, night = state[10:17]
    for _ in range(count):
        # out of hours the rooms are warmed on their own air where they get too cold
        night = (1.0 - runs) * np.where(room < unit.night_c, 1.0, np.where(room > unit.night_c + 2.0, 0.0, night))
        on = np.maximum(runs, night)
        # what the rooms ask for: -1 all the heat, 1 all the cold; first colder air, then more of it
        off_by = room - unit.room_c
        comfort = on * within(comfort + dt * off_by / 7200.0, -1.0, 1.0)
        asks = np.where(night > 0, -1.0, within(0.6 * off_by + comfort, -1.0, 1.0))
        wanted = NEUTRAL_C + (WARMEST_C - NEUTRAL_C) * np.maximum(-asks, 0.0)
        wanted = wanted - (NEUTRAL_C - COLDEST_C) * within(2.0 * asks, 0.0, 1.0)
        opening = 0.42 + 0.2 * people + 0.5 * within(2.0 * asks - 1.0, 0.0, 1.0) + 0.25 * within(-asks - 0.4, 0.0, 0.6)
        opening = within(opening + 0.012 * boxes, 0.3, 1.0)
        # the fan on the duct's pressure, over a converter that ramps
        short = unit.pressure - duct
        drive = on * within(drive + 6e-5 * dt * short, 0.2, 1.0)
        speed = speed + within(on * within(drive + 3e-4 * short, 0.2, 1.0) - speed, -dt / 60.0, dt / 60.0)
        blown = air(unit, speed, opening, dust, fouling, slip)
        duct = blown.duct
        # the supply temperature: heating valve, dampers (where the outside is of use), cooling valve, in sequence
        helps = (around.outside < back - np.where(economy > 0.5, 0.2, 1.5)) * fresh
        change = (helps - economy) * min(dt / 300.0, 1.0)
        call = call + change * within(call / np.maximum(economy, 0.05), 0.0, 1.0)  # the cooling valve stays where it is
        economy, error = economy + change, supply - wanted
        call = on * within(call + 2e-4 * dt * error, -2.5, 1.0 + economy)
        calls = on * within(call + 0.03 * error, -2.5, 1.0 + economy)
        heats, cools = np.maximum(-0.4 * calls, 0.0), within(calls - economy, 0.0, 1.0)
        opens = on * fresh * (unit.fresh + (1.0 - unit.fresh) * economy * within(calls, 0.0, 1.0))
        heating = heating + within(heats - heating, -stroke, stroke)
        cooling = cooling + within(cools - cooling, -stroke, stroke)
        damper = damper + within(opens - damper, -stroke, stroke)
        # the air on its way; where none flows, all comes to the temperature of the casing
        carries = unit.air_heat * blown.flow
        grasp = carries * (1.0 - np.exp(-2.2 / np.sqrt(blown.flow + 0.01)))
        warm, cold = unit.hot * (passes(heating) + 0.15 * leak), unit.chilled * passes(np.maximum(cooling, 0.8 * stuck))
        blend = damper * around.outside + (1.0 - damper) * room
        mixed = relax(mixed, (blown.flow / MIXED_S, 1.0 / CASING_S), (blend, around.plant), dt)
        hot_coil = coil(unit, hot_coil, HOT_S, (warm, grasp), (around.hot_water, mixed, around.plant), dt)
        heated = grasp * (hot_coil - mixed)
        between = mixed + heated / np.maximum(carries, 1e-6)
        cold_coil = coil(
            unit, cold_coil, COLD_S, (cold, grasp), (np.full_like(room, CHILLED_C), between, around.plant), dt
        )
        cooled = grasp * (between - cold_coil)
        blows = between + (blown.shaft - cooled) / np.maximum(carries, 1e-6)
        casing = around.plant + 0.3 * (hot_coil + cold_coil - 2.0 * around.plant)
        supply = relax(supply, (blown.flow / SUPPLY_S, 1.0 / CASING_S), (blows, casing), dt)
        # the rooms: air and furniture, and the walls behind
        inner = unit.mass / 8e4
        rates = [heat / unit.room_heat for heat in (carries, unit.windows, inner)]
        given = (gains + 0.5 * around.sun) / unit.room_heat
        pulls = (supply, around.outside, mass + given / rates[2])
        mass = mass + dt * (unit.walls * (around.outside - mass) + inner * (room - mass) + 0.5 * around.sun) / unit.mass
        room = relax(room, tuple(rates), pulls, dt)
        back = relax(back, (blown.flow / MIXED_S, 1.0 / CASING_S), (room, 0.5 * (room + around.plant)), dt)
    streaks = 0.03 * eddies * damper * (1.0 - damper) * (around.outside - room)  # the box mixes badly
    shown = (around.outside, mixed + streaks, supply, back, duct * (1.0 + 0.012 * eddies), 100.0 * speed)
    blows_m3h = 3600.0 * unit.flow * blown.flow
    dampers = (100.0 * heats, 100.0 * cools, 100.0 * opens)
    after = (mixed, supply, back, room, mass, hot_coil, cold_coil, duct, speed, drive, comfort, call, heating, cooling)
    moods = (front, clouds, gusts, crowd, boxes, eddies, grip)
    state = AirHandlerState(*after, damper, economy, night, *moods)
    return state, (*shown, blown.electric / 1000.0, *dampers, blown.filter, blows_m3h)
