"""An air handler and the rooms that it serves: what it can be set to, its hours, its weather, its channels.

It runs on weekdays while people are there, and out of hours only where the rooms get too cold. The valve and damper
channels are what the controllers ask for, so a valve that disobeys shows in what the others do to make up for it.
Every device has weather of its own. The machine is in air_handler_plant.py.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from anomgan.config import Table
from anomgan.records import Floats
from anomgan.simulate.almanac import Moments, winter
from anomgan.simulate.kind import Channel, Inputs, Kind, ProcessFault, within
from anomgan.simulate.kinds.air_handler_plant import CLEAN_PA, INSIDE_PA, MAX_STEP_S, AirHandler, AirHandlerState, step

AIR_HEAT = 1.2 * 1006.0
"""J/(m³ K)"""
LATITUDE = 0.87
"""rad"""
WATTS_PER_PERSON = 230.0
"""with lights and machines"""


class AirHandlerSettings(Table):
    """`[devices.settings]` of an air handler."""

    flow_m3h: float = Field(9000.0, gt=0)
    """rated flow"""
    room_c: float = Field(22.0, ge=10, le=30)
    night_c: float = Field(16.0, ge=5, le=30)
    """out of hours the rooms are heated only where they are colder than this"""
    pressure_pa: float = Field(250.0, ge=50, le=350)
    """what the fan holds in the duct"""
    start_h: float = Field(6.0, ge=0, le=24)
    """hour at which it starts, a few minutes earlier or later at each"""
    stop_h: float = Field(19.0, ge=0, le=24)
    weekend: bool = False
    """whether it runs on Saturdays and Sundays"""
    people: float = Field(70.0, ge=0)
    """in the rooms on a full weekday, with their lights and machines"""
    mean_c: float = Field(10.0, ge=-20, le=35)
    """outside on the average of the year"""
    season_k: float = Field(10.0, ge=-25, le=25)
    """how much warmer July is than that; negative south of the equator"""
    day_k: float = Field(4.5, ge=0, le=15)
    """how much warmer a clear afternoon is than its day"""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start_h >= self.stop_h:
            raise ValueError(f"start_h ({self.start_h:g}) is not before stop_h ({self.stop_h:g})")
        if self.night_c > self.room_c - 2:
            raise ValueError(f"night_c ({self.night_c:g}) is not 2 K below room_c ({self.room_c:g})")
        return self


def parameters(settings: AirHandlerSettings, traits: Floats) -> AirHandler:
    """One air handler per row of traits (D, 14)."""
    t = traits.T
    same = np.ones(len(traits))
    flow = settings.flow_m3h / 3600.0 * np.exp(0.04 * t[0])
    air_heat = AIR_HEAT * flow
    return AirHandler(
        flow=flow,
        room_c=settings.room_c + 0.3 * t[1],
        night_c=settings.night_c * same,
        pressure=settings.pressure_pa * np.exp(0.05 * t[2]),
        start_h=settings.start_h * same,
        stop_h=settings.stop_h * same,
        weekend=settings.weekend * same,
        gains=settings.people * WATTS_PER_PERSON * np.exp(0.1 * t[3]),
        mean_c=settings.mean_c * same,
        season_k=settings.season_k * same,
        day_k=settings.day_k * same,
        clock_h=0.15 * t[4],
        air_heat=air_heat,
        walls=0.07 * air_heat * np.exp(0.1 * t[5]),
        windows=0.1 * air_heat * np.exp(0.1 * t[6]),
        sun=5.0 * air_heat * np.exp(0.15 * t[7]),
        mass=1.6e5 * air_heat * np.exp(0.1 * t[8]),
        room_heat=6e3 * air_heat * np.exp(0.1 * t[9]),
        efficiency=0.63 * np.exp(0.03 * t[10]),
        inside=INSIDE_PA * np.exp(0.04 * t[11]),
        clean=CLEAN_PA * np.exp(0.05 * t[12]),
        dust_phase=t[13] % 1.0,
        fresh=0.25 * same,
        hot=1.2 * air_heat,
        chilled=3.0 * air_heat,
    )


def course(unit: AirHandler, when: Moments) -> Floats:
    """(R, 8, D): season and time of day outside in K, the sun's height, people, whether the fan runs, whether outside
    air is due, the dust in the filter, hours since the fan last ran.
    """
    hour = (24.0 * when.days[:, None] + unit.clock_h) % 24.0  # (R, D)
    weekday = np.broadcast_to(when.weekday[:, None], hour.shape).astype(int)
    year = np.broadcast_to(when.year[:, None], hour.shape)
    season = unit.season_k * -np.broadcast_to(winter(when, 0.06), hour.shape)
    swing = np.broadcast_to(np.cos(2 * np.pi * (when.days[:, None] - 0.625)), hour.shape)
    tilt = -0.409 * np.cos(2 * np.pi * (year + 0.027)) * np.sign(unit.season_k + 1e-9)
    noon = -np.cos(2 * np.pi * when.days[:, None])
    sun = np.maximum(np.sin(LATITUDE) * np.sin(tilt) + np.cos(LATITUDE) * np.cos(tilt) * noon, 0.0)
    works = (weekday < 5) | (unit.weekend > 0)
    come, go = within((hour - 7.3) / 2.2, 0.0, 1.0), within((18.6 - hour) / 2.6, 0.0, 1.0)
    lunch = 1.0 - 0.3 * np.exp(-(((hour - 12.5) / 0.5) ** 2))
    people = (weekday < 5) * come * go * lunch * np.where(weekday == 4, 0.8, 1.0)  # fewer on Fridays
    runs = works & (hour >= unit.start_h) & (hour < unit.stop_h)
    warms_up = (hour < unit.start_h + 1.0) & (unit.stop_h - unit.start_h < 24.0)  # on the rooms' own air
    fresh = runs & ~warms_up
    dust = (2.0 * year + unit.dust_phase) % 1.0  # two filters a year
    back = np.where(unit.weekend > 0, 1, np.array([3, 1, 1, 1, 1, 1, 2])[weekday])  # days since the last working day
    idle_h = np.where(runs, 0.0, hour - unit.stop_h + 24.0 * np.where(works & (hour >= unit.stop_h), 0, back))
    return np.stack([season, swing, sun, people, runs * 1.0, fresh * 1.0, dust, idle_h], axis=1)


def in_hours(course: Floats) -> NDArray[np.bool_]:
    """(R, D) whether the fan runs."""
    return np.asarray(course[:, 4] == 1)


def rest(unit: AirHandler, inputs: Inputs) -> AirHandlerState:
    """As the hours before will have left it, its own weather above it."""
    season, _, _, _, runs, _, _, idle_h = inputs.course
    zero = np.zeros_like(unit.flow)
    outside = unit.mean_c + season
    cooled = 1.0 - np.exp(-idle_h * 3600.0 * (unit.walls + unit.windows) / unit.mass)
    room = np.maximum(unit.room_c + (outside + 3.0 - unit.room_c) * cooled, unit.night_c + 0.5)
    return AirHandlerState(
        mixed=room,
        supply=room,
        back=room,
        room=room,
        mass=room,
        hot_coil=room,
        cold_coil=room,
        pressure=unit.pressure * runs,
        speed=0.7 * runs,
        drive=0.7 * runs,
        comfort=zero,
        call=zero,
        heating=zero,
        cooling=zero,
        damper=unit.fresh * runs,
        economy=(outside < room) * 1.0,
        night=zero,
        front=inputs.shocks[0],
        clouds=inputs.shocks[1],
        gusts=zero,
        crowd=zero,
        boxes=zero,
        eddies=zero,
        grip=zero,
    )


AIR_HANDLER: Kind[AirHandlerSettings, AirHandler, AirHandlerState] = Kind(
    name="air_handler",
    channels=(
        Channel("outside_temperature", "°C", 0.1, 0.04, -50.0, 60.0, bias=0.2, lively=False),
        Channel("mixed_temperature", "°C", 0.1, 0.05, -50.0, 80.0, bias=0.2),
        Channel("supply_temperature", "°C", 0.1, 0.05, -50.0, 80.0, bias=0.2),
        Channel("return_temperature", "°C", 0.1, 0.04, -50.0, 80.0, bias=0.2, lively=False),
        Channel("supply_pressure", "Pa", 1.0, 1.5, -20.0, 1000.0, bias=1.0),
        Channel("fan_speed", "%", 0.1, 0.05, 0.0, 110.0, lively=False),
        Channel("fan_power", "kW", 0.01, 0.01, 0.0, 15.0, lively=False),
        Channel("heating_valve", "%", 0.1, 0.0, 0.0, 100.0, lively=False),
        Channel("cooling_valve", "%", 0.1, 0.0, 0.0, 100.0, lively=False),
        Channel("outside_damper", "%", 0.1, 0.0, 0.0, 100.0, lively=False),
        Channel("filter_pressure", "Pa", 1.0, 0.8, 0.0, 500.0, bias=0.5),
        Channel("supply_flow", "m³/h", 10.0, 25.0, 0.0, 50_000.0, lively=False),
    ),
    process_faults=(
        ProcessFault("filter_fouling", ("filter_pressure", "fan_speed", "fan_power"), shows=in_hours),
        ProcessFault("belt_slip", ("fan_speed", "fan_power", "supply_pressure"), shows=in_hours),
        # in winter the valve closes, in between more outside air comes in, in summer the other coil must cool it away
        ProcessFault(
            "heating_valve_leak",
            ("heating_valve", "outside_damper", "mixed_temperature", "cooling_valve"),
            least_s=900.0,
            shows=in_hours,
        ),
        # it does not close below four fifths
        ProcessFault(
            "cooling_valve_stuck",
            ("heating_valve", "cooling_valve", "supply_temperature"),
            least_s=900.0,
            shows=in_hours,
        ),
    ),
    settings=AirHandlerSettings,
    traits=14,
    shocks=7,
    chances=0,
    parameters=parameters,
    course=course,
    rest=rest,
    step=step,
    max_step_s=MAX_STEP_S,
)
