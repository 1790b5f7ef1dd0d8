"""A water tank on legs: a valve from the mains fills it between two levels, consumers below draw by time of day.

The level is what has come in and not gone out; inflow follows the mains' pressure, which sags when everybody draws;
outflow follows the consumers' taps, the level above them and what the outlet pipe holds against it (Torricelli with
losses). Water mixes at once: its temperature is a balance of what comes in and what the shell exchanges with the air.
The flow meters count, so they show the mean of a period and the balance closes at any period. Every device has weather
of its own. Textbook relations: Idelchik, Handbook of Hydraulic Resistance; demand after diurnal patterns as in EPANET.
"""

from typing import NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from anomgan.config import Table
from anomgan.records import Floats
from anomgan.simulate.almanac import TRUE_DAY_S, Moments
from anomgan.simulate.kind import Channel, Inputs, Kind, ProcessFault, substeps, wander, within

MAX_STEP_S = 10.0
RHO_G = 9810.0
"""weight of a cubic metre of water, N"""
BAR = 1e5
WATER_HEAT = 4.19e6
"""J/(m³ K)"""
BELOW_M = 18.0
"""consumers are that far below the tank's bottom"""
STROKE_S = 25.0
"""from shut to open"""
MAINS_BAR = 3.0
OVERFLOW = 0.96
"""share of the height"""
DRY_M = 0.1
"""below this the outlet draws air"""
LOSS = 0.15
"""share of the head that the outlet pipe takes at rated demand"""


class WaterTankSettings(Table):
    """`[devices.settings]` of a water tank."""

    volume_m3: float = Field(50.0, gt=0)
    height_m: float = Field(4.0, ge=0.5, le=15)
    demand_m3h: float = Field(10.0, gt=0)
    """what consumers draw on the average of a weekday; at the morning's and the evening's peak nearly twice as much"""
    inflow_m3h: float = Field(26.0, gt=0)
    """with the inlet valve open"""
    fill_at: float = Field(0.5, ge=0.1, le=0.9)
    """the inlet valve opens at this share of the height"""
    full_at: float = Field(0.85, ge=0.1, le=0.95)
    """and shuts at this one"""
    weekend: float = Field(0.75, ge=0, le=1.5)
    """the peaks of Saturday and Sunday, which are later, as a share of a weekday's"""
    mean_c: float = Field(10.0, ge=0, le=35)
    """air on the average of the year; the mains are as warm"""
    season_k: float = Field(9.0, ge=-20, le=20)
    """how much warmer July's air is than that; negative south of the equator"""

    @model_validator(mode="after")
    def _fills(self) -> Self:
        if self.fill_at > self.full_at - 0.02:
            raise ValueError(f"fill_at ({self.fill_at:g}) is not below full_at ({self.full_at:g})")
        if self.inflow_m3h < 2.2 * self.demand_m3h:
            raise ValueError(
                f"inflow_m3h ({self.inflow_m3h:g}) is less than 2.2 times demand_m3h: peaks would empty it"
            )
        if (self.full_at - self.fill_at) * self.volume_m3 < self.inflow_m3h / 60.0:
            raise ValueError(f"volume_m3 ({self.volume_m3:g}): inflow_m3h would fill it within a minute")
        return self


class WaterTank(NamedTuple):
    """Parameters, each (D,). Flows in m³/s, lengths in m, areas in m², heat in W/K."""

    area: Floats
    height: Floats
    fill_at: Floats
    full_at: Floats
    demand: Floats
    inflow: Floats
    mains: Floats
    """bar"""
    weekend: Floats
    clock: Floats
    """days by which its consumers are early"""
    mean_c: Floats
    season_k: Floats
    shell: Floats
    phase: Floats
    filling: Floats


class WaterTankState(NamedTuple):
    """State, each (D,). valve: 0 shut ... 1 open; wants: what the switches ask of it, 0 or 1."""

    level: Floats
    valve: Floats
    wants: Floats
    water: Floats
    taps: Floats
    habits: Floats
    mains: Floats
    weather: Floats
    waves: Floats


def parameters(settings: WaterTankSettings, traits: Floats) -> WaterTank:
    """One tank per row of traits (D, 12)."""
    t = traits.T
    same = np.ones(len(traits))
    height = settings.height_m * same
    area = settings.volume_m3 / settings.height_m * np.exp(0.04 * t[0])
    return WaterTank(
        area=area,
        height=height,
        fill_at=height * (settings.fill_at + 0.008 * within(t[1], -1.0, 1.0)),
        full_at=height * (settings.full_at + 0.008 * within(t[2], -1.0, 1.0)),
        demand=settings.demand_m3h / 3600.0 * np.exp(0.05 * within(t[3], -2.0, 2.0)),
        inflow=settings.inflow_m3h / 3600.0 * np.exp(0.03 * t[4]),
        mains=MAINS_BAR * np.exp(0.06 * t[5]),
        weekend=settings.weekend * np.exp(0.08 * t[6]),
        clock=0.012 * t[7],
        mean_c=settings.mean_c + 0.4 * t[8],
        season_k=settings.season_k * same,
        shell=6.0 * (2.0 * area + height * np.sqrt(4.0 * np.pi * area)) * np.exp(0.15 * t[9]),
        phase=t[10] % 1.0,
        filling=(t[11] < -0.3).astype(np.float64),
    )


def bump(turn: Floats, at_h: float, sharp: float) -> Floats:
    """A peak of the day, 1 at its top, and its like on every other day."""
    top: Floats = np.exp(sharp * (np.cos(2 * np.pi * (turn - at_h / 24.0)) - 1.0))
    return top


def course(tank: WaterTank, when: Moments) -> Floats:
    """(R, 3, D): demand as a share of the rated one, the air in °C without its weather, the mains' water in °C."""
    turn = when.days[:, None] + tank.clock  # (R, D)
    weekday = 1.4 * bump(turn, 7.2, 9.0) + 0.6 * bump(turn, 12.6, 10.0) + 1.35 * bump(turn, 19.2, 6.5)
    free = 1.4 * bump(turn, 9.6, 8.0) + 0.7 * bump(turn, 13.2, 8.0) + 1.2 * bump(turn, 19.6, 6.5)
    demand = 0.5 + np.where(when.weekday[:, None] >= 5, tank.weekend * free, weekday)
    year = 2 * np.pi * when.year[:, None]
    air = tank.mean_c - tank.season_k * np.cos(year - 0.4) + 4.0 * np.cos(2 * np.pi * (turn - 0.63))
    # the ground follows the air a month and a half later, and less
    mains = within(tank.mean_c - 0.55 * tank.season_k * np.cos(year - 1.1), 1.0, 40.0)
    return np.stack([demand, air, mains], axis=1)


def draws(tank: WaterTank, level: Floats, taps: Floats, blockage: Floats) -> Floats:
    """(D,) m³/s that leave through the outlet at an opening of the consumers' taps (1 = they draw the rated demand)."""
    rated = BELOW_M + 0.67 * tank.height
    against = (1.0 - LOSS) / np.maximum(taps, 1e-6) ** 2 + LOSS * (1.0 + 20.0 * blockage)
    wet = within(level / DRY_M, 0.0, 1.0)
    return tank.demand * wet * np.sqrt((BELOW_M + level) / rated / against)


def fills(tank: WaterTank, valve: Floats, mains_bar: Floats, blockage: Floats) -> Floats:
    """(D,) m³/s that come in over the tank's rim at a mains' pressure; the strainer is the part that blocks."""
    rim_bar = RHO_G * tank.height / BAR
    drive = np.maximum(mains_bar - rim_bar, 0.0) / (tank.mains - rim_bar)
    return tank.inflow * valve * np.sqrt(drive / (1.0 + 8.0 * blockage))


def leaks(tank: WaterTank, level: Floats, leak: Floats) -> Floats:
    """(D,) m³/s that run off through a hole near the bottom; at severity 1 nearly as much as consumers draw."""
    return 0.8 * leak * tank.demand * np.sqrt(np.maximum(level, 0.0) / (0.67 * tank.height))


def rest(tank: WaterTank, inputs: Inputs) -> WaterTankState:
    """Each at its own point between its two levels, its water as warm as the mains and the air make it."""
    zero = np.zeros_like(tank.area)
    _, air, mains = inputs.course
    renews = WATER_HEAT * tank.demand
    return WaterTankState(
        level=tank.fill_at + tank.phase * (tank.full_at - tank.fill_at),
        valve=tank.filling,
        wants=tank.filling,
        water=within((renews * mains + tank.shell * air) / (renews + tank.shell), 0.5, 60.0),
        taps=zero,
        habits=inputs.shocks[1],
        mains=zero,
        weather=inputs.shocks[3],
        waves=zero,
    )


def step(
    tank: WaterTank, state: WaterTankState, inputs: Inputs, period_s: float
) -> tuple[WaterTankState, tuple[Floats, ...]]:
    """One period of taps, mains, valve and water; then what perfect sensors show."""
    demand, air, mains_c = inputs.course
    leak, stuck, clogged, blocked = inputs.faults
    taps = wander(state.taps, inputs.shocks[0], period_s, 45.0)
    habits = wander(state.habits, inputs.shocks[1], period_s, 2400.0)
    mains = wander(state.mains, inputs.shocks[2], period_s, 300.0)
    weather = wander(state.weather, inputs.shocks[3], period_s, 2 * TRUE_DAY_S)
    waves = wander(state.waves, inputs.shocks[4], period_s, 2.0)
    # many small draws: the fewer there are, the more they scatter
    opening = demand * np.exp(0.12 * habits + 0.1 * taps / np.sqrt(demand))
    mains_bar = tank.mains * (1.0 + 0.025 * mains - 0.06 * (demand - 1.0))
    outside = air + 3.0 * weather
    count, dt = substeps(period_s, MAX_STEP_S)
    level, valve, wants, water = state[:4]
    came = went = np.zeros_like(level)
    for _ in range(count):
        wants = np.where(level < tank.fill_at, 1.0, np.where(level > tank.full_at, 0.0, wants))
        moves = within(wants - valve, -dt / STROKE_S, dt / STROKE_S)
        valve = valve + np.where(stuck > 0, 0.0, moves)  # it jams where it stands
        inflow = fills(tank, valve, mains_bar, clogged)
        lost = leaks(tank, level, leak)
        # no more can leave than is there
        outflow = draws(tank, level, opening, blocked)
        share = np.minimum(1.0, (level * tank.area / dt + inflow) / np.maximum(outflow + lost, 1e-12))
        outflow, lost = outflow * share, lost * share
        volume = np.maximum(level, 0.02 * tank.height) * tank.area
        warms = inflow * (mains_c - water) + tank.shell * (outside - water) / WATER_HEAT
        water = np.maximum(
            water + dt * warms / (volume + dt * (inflow + tank.shell / WATER_HEAT)), 0.2
        )  # or it freezes
        level = np.minimum(
            level + dt * (inflow - outflow - lost) / tank.area, OVERFLOW * tank.height
        )  # the rest spills
        came, went = came + inflow / count, went + outflow / count
    ripples = 0.004 * waves * (0.15 + came / tank.inflow)
    pressure = RHO_G * level / BAR
    seen = (level + ripples, came * 3600.0, went * 3600.0, (valve > 0.5).astype(np.float64), pressure, water)
    return WaterTankState(level, valve, wants, water, taps, habits, mains, weather, waves), seen


WATER_TANK: Kind[WaterTankSettings, WaterTank, WaterTankState] = Kind(
    name="water_tank",
    channels=(
        Channel("level", "m", 0.001, 0.002, 0.0, 20.0, bias=0.005),
        Channel("inflow", "m³/h", 0.05, 0.03, 0.0, 500.0, lively=False),
        Channel("outflow", "m³/h", 0.05, 0.04, 0.0, 500.0),
        Channel("inlet_valve", "", 1.0, 0.0, 0.0, 1.0, digital=True),
        Channel("bottom_pressure", "bar", 0.0005, 0.0004, 0.0, 2.5, bias=0.001),
        Channel("water_temperature", "°C", 0.05, 0.03, -5.0, 90.0, bias=0.1, lively=False),
    ),
    process_faults=(
        ProcessFault("leak", ("level", "bottom_pressure", "inflow"), least_s=1800.0),
        ProcessFault(
            "inlet_stuck", ("level", "bottom_pressure", "inlet_valve", "inflow"), least_s=3600.0, graded=False
        ),
        ProcessFault("inlet_blockage", ("inflow", "level", "bottom_pressure"), least_s=1800.0),
        ProcessFault("outlet_blockage", ("outflow", "level")),
    ),
    settings=WaterTankSettings,
    traits=12,
    shocks=5,
    chances=0,
    parameters=parameters,
    course=course,
    rest=rest,
    step=step,
    max_step_s=MAX_STEP_S,
)
