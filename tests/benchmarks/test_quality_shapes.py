"""How often data quality tells a healthy device sick: fleets of many shapes, periods and ways of sending.

Limits come from three devices; four others, which are all healthy, are watched for the days after.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from figures import table
from quality_cases import START_S, Delivery, batched, in_order, listen, prompt

from anomgan.quality import FleetQuality, learn_limits
from anomgan.records import Floats, TimeSeries
from anomgan.simulate import parse_scenario, simulate

pytestmark = pytest.mark.bench
DAY_S = 86_400.0
Columns = dict[str, Floats]
Rng = np.random.Generator


def wander(rows: int, time_constant: float, rng: Rng) -> Floats:
    """An Ornstein-Uhlenbeck process of variance 1; the time constant counts rows."""
    kept = float(np.exp(-1.0 / max(time_constant, 0.5)))
    value, out, shocks = rng.normal(), np.empty(rows), rng.normal(size=rows)
    for row in range(rows):
        value = out[row] = kept * value + np.sqrt(1.0 - kept * kept) * shocks[row]
    return out


def sun(t: Floats, phase: float = 0.0) -> Floats:
    return np.asarray(np.sin(2.0 * np.pi * t / DAY_S + phase))


def quantised(t: Floats, p: float, rng: Rng) -> Columns:
    n = len(t)
    humidity = np.clip(55 + 10 * sun(t, 2) + 5 * wander(n, 9000 / p, rng), 0, 100)
    co2 = 600 + 150 * np.maximum(sun(t, 1), 0) + 40 * wander(n, 1800 / p, rng)
    temperature = 21 + 2 * sun(t) + 0.7 * wander(n, 7200 / p, rng)
    return {"temperature": np.rint(temperature), "humidity": np.rint(humidity), "co2": 10 * np.rint(co2 / 10)}


def constants(t: Floats, p: float, rng: Rng) -> Columns:
    steady = {"setpoint": np.full(len(t), 5.0), "zero": np.zeros(len(t)), "version": np.full(len(t), 1.2)}
    return steady | {"temperature": np.round(20 + sun(t) + 0.3 * wander(len(t), 600 / p, rng), 1)}


def on_off(t: Floats, p: float, rng: Rng) -> Columns:
    on, row = np.zeros(len(t)), 0
    while row < len(t):
        row += max(1, int(rng.exponential(3 * 3600.0) / p))
        length = max(1, int(rng.uniform(1200.0, 7200.0) / p))
        on[row : row + length] = 1.0
        row += length
    current = np.round(on * (8.0 + 0.3 * rng.normal(size=len(t))), 1)
    return {"current": current, "power": np.round(np.maximum(0.23 * current, 0.003), 3), "running": on}


def solar(t: Floats, p: float, rng: Rng) -> Columns:
    light = np.maximum(sun(t - DAY_S / 4), 0) * (0.6 + 0.4 * np.clip(wander(len(t), 1800 / p, rng), -1, 1))
    battery = 24 + 2 * sun(t, 1) + 0.05 * rng.normal(size=len(t))
    return {"irradiance": np.round(900 * light), "power": np.round(5 * light, 2), "battery": np.round(battery, 1)}


def counters(t: Floats, p: float, rng: Rng) -> Columns:
    load = np.maximum(1.2 + 0.8 * sun(t) + 0.3 * wander(len(t), 900 / p, rng), 0.0)
    energy = np.floor((1000 + np.cumsum(load * p / 3600)) * 10) / 10
    return {"energy": energy, "pulses": np.cumsum(rng.poisson(0.3 * p / 60, len(t))), "power": np.round(load, 2)}


def radio(t: Floats, p: float, rng: Rng) -> Columns:
    battery = 3.6 - 0.05 * (t - START_S) / (30 * DAY_S) + 0.004 * rng.normal(size=len(t))
    temperature = 12 + 6 * sun(t) + 0.4 * wander(len(t), 7200 / p, rng)
    rssi = np.rint(-80 + 4 * wander(len(t), 20, rng))
    return {"battery": np.round(battery, 2), "rssi": rssi, "temperature": np.round(temperature, 1)}


def recipes(t: Floats, p: float, rng: Rng) -> Columns:
    step = np.repeat(rng.integers(0, 4, len(t)), max(2, int(3600.0 / p)))[: len(t)]
    setpoint = np.array([20.0, 60.0, 80.0, 95.0])[step]
    temperature, value = np.empty(len(t)), 20.0
    for row, wanted in enumerate(setpoint.tolist()):
        value = temperature[row] = value + min(1.0, p / 600.0) * (wanted - value)
    level = np.clip(50 + 30 * wander(len(t), 3600 / p, rng), 0, 100)
    noisy = np.round(temperature + 0.1 * rng.normal(size=len(t)), 1)
    return {"setpoint": setpoint, "step": step.astype(float), "temperature": noisy, "level": np.round(level, 1)}


SHAPES = (quantised, constants, on_off, solar, counters, radio, recipes)


def series(shape: Callable[[Floats, float, Rng], Columns], p: float, first: float, days: float, rng: Rng) -> TimeSeries:
    t = START_S + first * DAY_S + p * np.arange(int(days * DAY_S / p))
    columns = shape(t, p, rng)
    return TimeSeries(t, np.column_stack(list(columns.values())), tuple(columns))


def jittered(one: TimeSeries, rng: Rng) -> TimeSeries:
    moved = one.times + 0.4 * one.period_s * rng.uniform(-0.5, 0.5, len(one))
    return TimeSeries(np.round(moved, 3), one.values, one.channels)


def kept(one: TimeSeries, rows: Floats) -> TimeSeries:
    return TimeSeries(one.times[rows], one.values[rows], one.channels)


def on_change(one: TimeSeries, rng: Rng) -> TimeSeries:
    same = np.vstack([np.zeros(one.values.shape[1], bool), one.values[1:] == one.values[:-1]])
    values = np.where(same, np.nan, one.values)
    told = ~np.isnan(values).all(axis=1)
    return TimeSeries(one.times[told], values[told], one.channels)


WAYS: dict[str, Callable[[TimeSeries, Rng], TimeSeries]] = {
    "regular": lambda one, rng: one,
    "jitter": jittered,
    "a tenth lost": lambda one, rng: kept(one, rng.random(len(one)) > 0.1),
    "irregular": lambda one, rng: kept(one, rng.random(len(one)) < 0.3),
    "on change": on_change,
    "asleep at night": lambda one, rng: kept(one, one.times % DAY_S < 16 * 3600.0),
}


def told(training: list[TimeSeries], watched: list[Delivery], turn_s: float) -> Counter[str]:
    quality = FleetQuality(learn_limits(training))
    heard = listen(quality, in_order(one for each in watched for one in each), turn_s)
    return heard.opened()


def test_devices_of_many_shapes() -> None:
    rows = []
    jobs = [(shape, p, way, 1) for shape in SHAPES for p, way in ((60.0, "regular"), (900.0, "regular"))]
    jobs += [(shape, 60.0, way, 1) for shape in (quantised, radio, on_off) for way in WAYS if way != "regular"]
    jobs += [(radio, 60.0, "regular", 10), (radio, 60.0, "regular", 60)]
    for shape, p, way, message in jobs:
        rng, learned, days = np.random.default_rng(0), 2.0 if p < 900.0 else 7.0, 5.0 if p < 900.0 else 21.0
        training = [WAYS[way](series(shape, p, 0.0, learned, rng), rng) for _ in range(3)]
        watched = [
            batched(prompt(WAYS[way](series(shape, p, learned, days, rng), rng), rng, f"d{n}"), message)
            for n in range(4)
        ]
        opened = told(training, watched, max(20.0, p / 4))
        name = f"{shape.__name__}, {p:g} s, {way}" + (f", {message} a message" if message > 1 else "")
        rows.append([name, f"{4 * days:g}", f"{sum(opened.values())}", str(dict(opened))])
    table("Healthy devices", ["shape, period, sending", "device-days", "issues", "kinds"], rows)


def test_simulated_plants_of_many_periods() -> None:
    rows = []
    for p, hours in ((0.1, 2.0), (1.0, 6.0), (10.0, 72.0), (60.0, 144.0), (900.0, 960.0)):
        for kind in ("pump", "cold_store"):
            document = {
                "clock": {"period_s": p, "duration_s": 3600.0 * hours, "seed": 7},
                "output": {"topic": "{device}"},
                "devices": [{"kind": kind, "name": "d", "count": 4}],
            }
            kin, rng = simulate(parse_scenario(document, "plant")), np.random.default_rng(7)
            cut = len(kin[0]) // 3
            watched = [prompt(one[cut:], rng, one.device) for one in kin]
            opened = told([one[:cut] for one in kin[:2]], watched, max(5.0, p / 4))
            rows.append([f"{kind}, {p:g} s", f"{8 / 3 * hours:.0f}", f"{sum(opened.values())}", str(dict(opened))])
    table("Simulated plants", ["kind, period", "device-hours", "issues", "kinds"], rows)
