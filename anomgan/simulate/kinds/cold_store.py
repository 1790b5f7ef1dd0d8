"""A cold room with its compressor: hysteresis control, defrost, a door that people open.

Heat comes in through walls, door and goods and leaves through the evaporator; the refrigerant's pressures are its
saturation pressures at the evaporating and condensing temperatures; the compressor's capacity and power follow from
both. Moisture comes in through the door and from the goods and settles on the coil as frost, which the defrost clears.
Textbook relations: ASHRAE Handbook, Refrigeration, chapters 24 (loads) and 14 (defrost); R134a from its vapour curve.
"""

import math
from typing import NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from anomgan.config import Table
from anomgan.records import Floats
from anomgan.simulate.almanac import Moments
from anomgan.simulate.kind import Channel, Inputs, Kind, ProcessFault, substeps, wander
from anomgan.simulate.moist_air import saturated_air

MAX_STEP_S = 4.0
LONG_S, LONG_STEP_S = 120.0, 8.0
"""of longer periods than that steps of this length are enough: the air warms by less than its sensor's noise in one"""
PRESSURE_S, REMEMBERED_S = 4.0, 40.0
"""time constant of the pressures; what they were before the last of a period's seconds is forgotten at its end"""
AIR_HEAT = 1006.0
"""J/(kg K)"""
FROST_HEAT = 2.8e6
"""J/kg, vapour to ice"""
PROBE_S = 900.0
"""time constant of the goods' outer layer, where their temperature is taken"""
RESTART_S = 30.0
"""the compressor stays off at least this long"""


class ColdStoreSettings(Table):
    """`[devices.settings]` of a cold store."""

    set_point_c: float = Field(3.0, ge=-5, le=15)
    band_k: float = Field(2.0, ge=0.3, le=8)
    """the compressor starts this much above the temperature where it stops; the smaller, the shorter its cycle"""
    defrost_every_s: float = Field(21_600.0, ge=0)
    """from the beginning of one defrost to the beginning of the next; 0 = there are none"""
    defrost_s: float = Field(600.0, gt=0)
    """how long one takes"""
    doors_per_hour: float = Field(3.0, ge=0)
    """how often people open the door, on the average of the day"""
    door_open_s: float = Field(20.0, gt=0)
    """how long it stays open on average"""

    @model_validator(mode="after")
    def _thaws_rarely(self) -> Self:
        if 0 < self.defrost_every_s < 2 * self.defrost_s:
            raise ValueError(f"defrost_s ({self.defrost_s:g}) takes more than half of defrost_every_s")
        return self


class ColdStore(NamedTuple):
    """Parameters, each (D,). Temperatures in °C, heat in W, J/K and W/K, air in kg and kg/s."""

    stop_at: Floats
    band: Floats
    defrost_every_s: Floats
    defrost_phase: Floats
    defrost_s: Floats
    doors_per_hour: Floats
    door_open_s: Floats
    day_phase: Floats
    ambient: Floats
    walls: Floats
    goods: Floats
    air_heat: Floats
    lights: Floats
    coil: Floats
    capacity: Floats
    power: Floats
    condenser: Floats
    door_air: Floats
    moisture: Floats
    cycle_phase: Floats


class ColdStoreState(NamedTuple):
    """State, each (D,). Humidity in kg of water per kg of air, frost in kg, running and door 0 or 1."""

    air: Floats
    goods: Floats
    coil: Floats
    condensing: Floats
    humidity: Floats
    frost: Floats
    suction: Floats
    discharge: Floats
    running: Floats
    since_s: Floats
    """since the compressor last started or stopped"""
    door: Floats
    door_left_s: Floats
    weather: Floats
    bustle: Floats


def saturation_bar(celsius: Floats) -> Floats:
    """Absolute vapour pressure of R134a, bar; within 0.2 % from -30 to 60 °C."""
    return np.exp(9.9106 - 2151.65 / (celsius + 243.475))


def parameters(settings: ColdStoreSettings, traits: Floats) -> ColdStore:
    """One cold store per row of traits (D, 15)."""
    t = traits.T
    same = np.ones(len(traits))
    return ColdStore(
        stop_at=settings.set_point_c - settings.band_k / 2 + 0.3 * t[0],
        band=settings.band_k * same,
        defrost_every_s=settings.defrost_every_s * same,
        defrost_phase=t[1] % 1.0,
        defrost_s=settings.defrost_s * same,
        doors_per_hour=settings.doors_per_hour * np.exp(0.1 * t[2]),
        door_open_s=settings.door_open_s * same,
        day_phase=0.02 * t[3],
        ambient=23.0 + 1.5 * t[4],
        walls=25.0 * np.exp(0.08 * t[5]),
        goods=90.0 * np.exp(0.1 * t[6]),
        air_heat=150e3 * np.exp(0.06 * t[7]),
        lights=400.0 * np.exp(0.08 * t[8]),
        coil=320.0 * np.exp(0.05 * t[9]),
        capacity=2900.0 * np.exp(0.05 * t[10]),
        power=1000.0 * np.exp(0.05 * t[11]),
        condenser=280.0 * np.exp(0.06 * t[12]),
        door_air=0.10 * same,
        moisture=2e-5 * np.exp(0.15 * t[13]),
        cycle_phase=t[14] % 1.0,
    )


def course(store: ColdStore, when: Moments) -> Floats:
    """(R, 3, D): the daily part of the outside temperature, door openings per second, whether it is time to defrost."""
    turn = when.days[:, None] + store.day_phase  # (R, D)
    warmth = -3.0 * np.cos(2 * np.pi * turn - 0.8)
    doors = store.doors_per_hour / 3600.0 * (1.0 - 0.9 * np.cos(2 * np.pi * turn))  # by night hardly anybody comes
    every_s = np.where(store.defrost_every_s > 0, store.defrost_every_s, np.inf)
    since_s = (when.clock_s[:, None] + store.defrost_phase * store.defrost_every_s) % every_s
    defrosting = (since_s < store.defrost_s) & (store.defrost_every_s > 0)
    return np.stack([warmth, doors, defrosting.astype(np.float64)], axis=1)


class Cycle(NamedTuple):
    """The refrigerant circuit with the compressor running, each (D,): °C and W."""

    evaporating: Floats
    cooling: Floats
    power: Floats


def cycle(store: ColdStore, coil: Floats, condensing: Floats, leak: Floats) -> Cycle:
    """What the circuit does at a coil and a condensing temperature, with the charge that the leak has left."""
    charge = 1.0 - 0.5 * np.minimum(leak, 1.8)
    # the evaporating temperature lies below the coil's by the heat that passes; capacity falls with it: solved for both
    transfer = 900.0 * charge**2  # a starved coil is wetted in part only
    at_minus_8 = store.capacity * charge * (1.0 - 0.008 * (condensing - 37.0))
    cooling = np.maximum(at_minus_8 * (1.0 + 0.035 * (coil + 8.0)) / (1.0 + 0.035 * at_minus_8 / transfer), 0.0)
    evaporating = coil - cooling / transfer
    power = store.power * (1.0 + 0.011 * (condensing - 37.0) + 0.012 * (evaporating + 8.0)) * (0.45 + 0.55 * charge)
    return Cycle(evaporating, cooling, power)


def rest(store: ColdStore, inputs: Inputs) -> ColdStoreState:
    """Cold and closed, the compressor off, each at its own point of the cycle."""
    zero = np.zeros_like(store.walls)
    ambient = store.ambient + inputs.course[0]
    air = store.stop_at + store.cycle_phase * store.band
    return ColdStoreState(
        air=air,
        goods=store.stop_at + 0.5 * store.band,
        coil=air + zero,
        condensing=ambient,
        humidity=0.86 * saturated_air(air),
        frost=zero,
        suction=saturation_bar(air),
        discharge=saturation_bar(ambient),
        running=zero,
        since_s=zero + RESTART_S,
        door=zero,
        door_left_s=zero,
        weather=zero,
        bustle=zero,
    )


def step(
    store: ColdStore, state: ColdStoreState, inputs: Inputs, period_s: float
) -> tuple[ColdStoreState, tuple[Floats, ...]]:
    """One period of the room, the coil and the refrigerant circuit; then what perfect sensors show."""
    warmth, doors, defrosting = inputs.course
    leak, left_open, fouling = inputs.faults
    condenser = store.condenser * (1.0 - 0.4 * np.minimum(fouling, 2.0))  # dust and leaves on its fins
    weather = wander(state.weather, inputs.shocks[0], period_s, 1800.0)
    bustle = wander(state.bustle, inputs.shocks[1], period_s, 120.0)
    ambient = store.ambient + warmth + 0.4 * weather
    lights = store.lights * (1.0 + 0.2 * bustle)
    outside = 0.5 * saturated_air(ambient)
    # people: who finds the door closed may open it; sooner or later its closer shuts it
    opens = (state.door_left_s <= 0) & (inputs.chances[0] < 1.0 - np.exp(-doors * period_s))
    stays = (0.4 + 1.2 * inputs.chances[1]) * store.door_open_s
    left_s = np.where(opens, stays, state.door_left_s)
    open_share = np.maximum(np.minimum(left_s / period_s, 1.0), np.minimum(left_open, 1.0))
    door = ((left_s > 0) | (left_open > 0)).astype(np.float64)
    exchange = store.door_air * open_share + 5e-4
    count, dt = substeps(period_s, MAX_STEP_S if period_s <= LONG_S else LONG_STEP_S)
    follow, soaks = 1.0 - math.exp(-dt / PRESSURE_S), 1.0 - math.exp(-dt / PROBE_S)
    thawing = defrosting == 1
    fan = np.where(thawing, 0.1, 1.0) * store.coil  # it rests while the heater thaws
    air, goods, coil, condensing, humidity, frost, suction, discharge, running, since_s = state[:10]
    for done in range(count):
        # the thermostat, with a lock against short cycles and during defrost
        on = running == 1
        start = ~on & (air > store.stop_at + store.band) & (since_s >= RESTART_S) & ~thawing
        stop = on & ((air < store.stop_at) | thawing)
        on = (on | start) & ~stop
        running = on.astype(np.float64)
        since_s = np.where(start | stop, 0.0, since_s) + dt
        circuit = cycle(store, coil, condensing, leak)
        cooling, power = running * circuit.cooling, running * circuit.power
        # moisture settles on a cold coil and leaves a warm one
        wetting = np.where(on, 0.08, 0.02) * (humidity - saturated_air(coil))  # kg/s
        wetting = np.maximum(wetting, -frost / dt)
        humidity = humidity + dt * (store.moisture + exchange * (outside - humidity) - wetting) / 140.0
        # the coil between the room's air and the refrigerant
        transfer = fan / (1.0 + frost / 12.0)
        heater = 1800.0 * (thawing & (coil < 8.0))
        from_air = transfer * (air - coil)
        coil_heat = from_air + FROST_HEAT * np.maximum(wetting, 0.0) + heater - cooling
        coil = coil + dt * coil_heat / (12e3 + dt * transfer)
        frost = np.maximum(frost + dt * (wetting - 2e-3 * (coil > 2.0)), 0.0)
        # the room
        heat = store.walls * (ambient - air) + store.goods * (goods - air) + lights - from_air
        heat = heat + exchange * AIR_HEAT * (ambient - air)
        goods = goods + (air - goods) * soaks
        air = air + dt * heat / store.air_heat
        humidity = np.minimum(humidity, saturated_air(air))  # what it cannot hold falls as dew
        # the condenser, whose fan runs with the compressor
        shed = condenser * np.where(on, 1.0, 0.2)
        condensing = condensing + dt * (cooling + power - shed * (condensing - ambient)) / (15e3 + dt * shed)
        if (count - done) * dt <= REMEMBERED_S:  # pressures follow their temperatures within seconds
            low = saturation_bar(np.where(on, circuit.evaporating, coil))
            suction = suction + (low - suction) * follow
            discharge = discharge + (saturation_bar(condensing) - discharge) * follow
    inrush = 1.0 + 0.5 * np.exp(-since_s / 2.0)
    current = power / (230.0 * 0.85) * inrush
    moist = 100.0 * humidity / saturated_air(air)
    seen = (air, coil, goods, suction - 1.013, discharge - 1.013, current, moist, door)
    left_s = np.maximum(left_s - period_s, 0.0)
    room = (air, goods, coil, condensing, humidity, frost)
    after = ColdStoreState(*room, suction, discharge, running, since_s, door, left_s, weather, bustle)
    return after, seen


COLD_STORE: Kind[ColdStoreSettings, ColdStore, ColdStoreState] = Kind(
    name="cold_store",
    channels=(
        Channel("air_temperature", "°C", 0.05, 0.04, -40.0, 60.0, bias=0.1),
        Channel("evaporator_temperature", "°C", 0.1, 0.06, -50.0, 60.0, bias=0.15),
        Channel("product_temperature", "°C", 0.05, 0.03, -40.0, 60.0, bias=0.1, lively=False),
        Channel("suction_pressure", "bar", 0.01, 0.01, -1.0, 10.0, bias=0.02),
        Channel("discharge_pressure", "bar", 0.02, 0.03, -1.0, 30.0, bias=0.03),
        Channel("compressor_current", "A", 0.05, 0.04, 0.0, 30.0, lively=False),
        Channel("humidity", "%", 0.2, 0.25, 0.0, 100.0, bias=1.0),
        Channel("door", "", 1.0, 0.0, 0.0, 1.0, digital=True),
    ),
    process_faults=(
        ProcessFault(
            "refrigerant_leak", ("suction_pressure", "evaporator_temperature", "compressor_current"), least_s=600.0
        ),
        ProcessFault("door_left_open", ("door", "air_temperature", "humidity"), least_s=120.0),
        ProcessFault("condenser_fouling", ("discharge_pressure", "compressor_current"), least_s=600.0),
    ),
    settings=ColdStoreSettings,
    traits=15,
    shocks=2,
    chances=2,
    parameters=parameters,
    course=course,
    rest=rest,
    step=step,
    max_step_s=MAX_STEP_S,
)
