"""How often each rule of data quality fires: on a normal week, on sensor faults, on process faults, on deliveries.

Ten pumps and ten cold stores, a reading every ten seconds; limits come from the day before.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from figures import table
from quality_cases import Delivery, batched, clock, held_up, in_order, listen, lost, outage, prompt, twice

from anomgan.quality import FleetQuality, Limits, learn_limits
from anomgan.quality.channels import ChannelHealth
from anomgan.quality.issues import Change
from anomgan.quality.units import conversions
from anomgan.records import Floats, Reading, TimeSeries
from anomgan.simulate import KINDS, SENSOR_FAULTS, parse_scenario, simulate
from anomgan.simulate.kind import Channel

pytestmark = pytest.mark.bench
DAY = 8640
"""rows"""
HOUR_S = 3600.0
OF = {"pump": slice(0, 10), "cold_store": slice(10, 20)}


def plant(rows: int, faults: Sequence[dict[str, object]] = ()) -> list[TimeSeries]:
    document = {
        "clock": {"period_s": 10.0, "duration_s": 10.0 * rows, "seed": 1},
        "output": {"topic": "{device}"},
        "devices": [{"kind": kind, "name": f"{kind}-", "count": 10} for kind in OF],
        "faults": list(faults),
    }
    return simulate(parse_scenario(document, "plant"))


@pytest.fixture(scope="module")
def week() -> list[TimeSeries]:
    """Eight days, nothing wrong."""
    return plant(8 * DAY)


@pytest.fixture(scope="module")
def limits(week: list[TimeSeries]) -> dict[str, Limits]:
    return {kind: learn_limits([one[:DAY] for one in week[of]]) for kind, of in OF.items()}


class Screened(NamedTuple):
    """masked (T, C) True where a value was there and is not fed; opened: the issues."""

    masked: Floats
    opened: list[Change]


def screen(limits: Limits, values: Floats, start_s: float = 0.0) -> Screened:
    """One device's rows (T, C), five hundred at a time."""
    health = ChannelHealth(limits)
    health.reserve(1)
    fed, changes = [], []
    for at in range(0, len(values), 500):
        part = values[at : at + 500]
        times = start_s + 10.0 * np.arange(at, at + len(part))
        given, told, _ = health.push(np.zeros(len(part), np.int64), times, part)
        fed.append(given)
        changes += told
    masked = (np.concatenate(fed) != values) & ~np.isnan(values)
    return Screened(masked, [one for one in changes if one.state == "open" or one.kind == "counter_reset"])


def test_a_normal_week(week: list[TimeSeries]) -> None:
    rows = []
    for learned, start, count, length in (
        ("a day of all ten", 0, 10, DAY),
        ("a day of one", 0, 1, DAY),
        ("eight hours of one", 0, 1, DAY // 3),
    ):
        opened: Counter[str] = Counter()
        masked = cells = 0
        for of in OF.values():
            kin = week[of]
            limits = learn_limits([one[start : start + length] for one in kin[:count]])
            for one in kin:
                found = screen(limits, one.values[DAY:])
                opened.update(change.kind for change in found.opened)
                masked += int(found.masked.sum())
                cells += found.masked.size
        rows.append([learned, f"{sum(opened.values())}", f"{masked}", f"{cells:,}", str(dict(opened))])
    table("20 devices, 7 normal days", ["limits from", "issues", "values masked", "of", "kinds"], rows)


def test_simulated_faults(limits: dict[str, Limits]) -> None:
    faults: list[dict[str, object]] = []
    for kind in OF:
        known = KINDS[kind]
        jobs: list[tuple[str, str, float]] = [
            (fault, channel.name, 0.0)
            for fault in SENSOR_FAULTS
            for channel in known.channels
            if not channel.digital or fault == "stuck"
        ]
        jobs += [(fault.name, "", severity) for fault in known.process_faults for severity in (0.5, 1.0, 1.5)]
        for device in range(1, 11):
            order = np.random.default_rng(device).permutation(len(jobs))
            for turn, job in enumerate(order.tolist()):
                name, channel, severity = jobs[job]
                begin_s = HOUR_S * (1 + turn)
                one: dict[str, object] = {"device": f"{kind}-{device}", "kind": name}
                one |= {"channels": [channel]} if channel else {"severity": severity}
                faults.append(one | {"start_s": begin_s, "end_s": begin_s + HOUR_S / 2})
    last_s = max(float(str(fault["end_s"])) for fault in faults)
    series = {one.device: one for one in plant(round((last_s + HOUR_S) / 10.0), faults)}
    found = {device: screen(limits[device.rsplit("-", 1)[0]], one.values) for device, one in series.items()}
    tally: dict[str, Counter[str]] = {}
    delays = []
    for fault in faults:
        device, name = str(fault["device"]), str(fault["kind"])
        start, end = (round(float(str(fault[key])) / 10.0) for key in ("start_s", "end_s"))
        of = tally.setdefault(name, Counter())
        of["n"] += 1
        of["masked"] += int(found[device].masked[start:end].sum())
        of["values"] += found[device].masked[start:end].size
        told = [change for change in found[device].opened if 10.0 * start <= change.noticed_s < 10.0 * end]
        lying = fault.get("channels", [])
        assert isinstance(lying, list)
        right = [c for c in told if name == "stuck" and series[device].channels[c.channel] in lying]
        of["told"] += bool(right)
        of["other"] += len(told) - len(right)
        delays += [change.noticed_s - 10.0 * start for change in right]
        of[f"missed {' '.join(lying)}"] += name == "stuck" and not right
    rows = [
        [
            name,
            f"{of['n']}",
            f"{of['told']}" if name == "stuck" else "-",
            f"{of['other']}",
            f"{of['masked']:,} of {of['values']:,}",
            ", ".join(f"{key} {n}" for key, n in of.items() if key.startswith("missed ") and n),
        ]
        for name, of in tally.items()
    ]
    title = f"Simulated faults of half an hour; a stuck sensor is told after {np.mean(delays):.0f} s on average"
    table(title, ["fault", "n", "told", "told as another", "values masked", ""], rows)


# ---------------------------------------------------------------- faults written into normal values

ROWS, AT, LASTS = 1440, 720, 180
Fault = Callable[[Floats, Channel, np.random.Generator], Floats]


def settle(to: Callable[[Floats], float], over: int, noise: float = 0.0) -> Fault:
    """The stretch moves to a level within so many rows and stands there, with so many times its own noise."""

    def fault(stretch: Floats, channel: Channel, rng: np.random.Generator) -> Floats:
        level = to(stretch)
        way = np.minimum(np.arange(1, len(stretch) + 1) / max(over, 1), 1.0)
        moved = stretch[0] + (level - stretch[0]) * way + noise * channel.noise * rng.normal(size=len(stretch))
        return np.asarray(np.rint(moved / channel.resolution) * channel.resolution)

    return fault


def calmer(stretch: Floats, channel: Channel, rng: np.random.Generator) -> Floats:
    steady = stretch.mean() + 0.5 * (stretch - stretch.mean())
    return np.asarray(np.rint(steady / channel.resolution) * channel.resolution)


PROCESS: dict[str, Fault] = {
    "jumps within its range and stays": settle(lambda x: float(x.mean() + 3.0 * x.std()), 0, 1.0),
    "falls to 0 at once": settle(lambda x: 0.0, 0, 1.0),
    "fades to 0": settle(lambda x: 0.0, 60, 1.0),
    "rises to twice its value": settle(lambda x: 2.0 * float(x[0]), 30, 1.0),
    "jumps to twice its value": lambda x, c, rng: x + x[0],
    "jumps to ten times its value": lambda x, c, rng: x + 9.0 * x[0],
    "jumps to a hundredth": lambda x, c, rng: x - 0.99 * x[0],
    "jumps ten standard deviations": lambda x, c, rng: x + 10.0 * x.std(),
    "is half as lively": calmer,
    "swings three times as far": lambda x, c, rng: x.mean() + 3.0 * (x - x.mean()),
}
"""the sensor's own noise stays"""
STILL: dict[str, Fault] = {
    "jumps within its range": settle(lambda x: float(x.mean() + 3.0 * x.std()), 0),
    "falls to 0": settle(lambda x: 0.0, 0),
    "fades to 0": settle(lambda x: 0.0, 60),
    "rises to twice its value": settle(lambda x: 2.0 * float(x[0]), 30),
}
"""and then the very same value again and again, without any noise"""
SENSOR: dict[str, tuple[str, Fault]] = {
    "-127, once": ("out_of_range", lambda x, c, rng: np.concatenate([[-127.0], x[1:]])),
    "65535 for half an hour": ("out_of_range", lambda x, c, rng: np.full(len(x), 65535.0)),
    "garbage, every tenth": ("out_of_range", lambda x, c, rng: np.where(np.arange(len(x)) % 10, x, 1e9)),
    "the last value for half an hour": ("stuck", lambda x, c, rng: np.full(len(x), x[0])),
    "nothing for half an hour": ("silent", lambda x, c, rng: np.full(len(x), np.nan)),
    **{
        f"times {factor:g}": ("unit_jump", lambda x, c, rng, factor=factor: factor * x)
        for factor in (1000.0, 100.0, 10.0, 0.1, 0.01, 0.001)
    },
}


def columns(week: list[TimeSeries]) -> list[tuple[str, TimeSeries, int]]:
    """(kind, six hours of a device, channel) of all measured channels."""
    return [
        (kind, one[3 * DAY : 3 * DAY + ROWS], index)
        for kind, of in OF.items()
        for one in week[of]
        for index, channel in enumerate(KINDS[kind].channels)
        if not channel.digital
    ]


def judge(limits: Limits, one: TimeSeries, channel: int, fault: Fault, kind: str, expected: str) -> Counter[str]:
    values = one.values.copy()
    part = slice(AT, AT + LASTS)
    values[part, channel] = fault(values[part, channel], KINDS[kind].channels[channel], np.random.default_rng(channel))
    found = screen(limits, values)
    return Counter(
        n=1,
        told=any(c.kind == expected and c.channel == channel for c in found.opened),
        other=sum(c.kind != expected or c.channel != channel for c in found.opened),
        masked=int(found.masked[part, channel].sum()),
        elsewhere=int(found.masked.sum() - found.masked[part, channel].sum()),
    )


def test_written_faults(week: list[TimeSeries], limits: dict[str, Limits]) -> None:
    rows = []
    stretches = columns(week)
    cases = {f"sensor: {name}": case for name, case in SENSOR.items()}
    cases |= {f"process: {name}": ("nothing", fault) for name, fault in PROCESS.items()}
    cases |= {f"still: {name}": ("nothing", fault) for name, fault in STILL.items()}
    for name, (expected, fault) in cases.items():
        of: Counter[str] = Counter()
        for kind, one, channel in stretches:
            of += judge(limits[kind], one, channel, fault, kind, expected)
        share = of["masked"] / (of["n"] * LASTS)
        rows.append([name, f"{of['n']}", f"{of['told']}", f"{of['other']}", f"{share:.1%}", f"{of['elsewhere']}"])
    for unit in ("°C", "bar", "m³/h", "kW", "rpm"):
        for conversion in conversions(unit):
            if conversion.says.startswith("the number"):
                continue
            of = Counter()
            for kind, one, channel in stretches:
                if one.units[channel] == unit:
                    read = lambda x, c, rng, by=conversion: by.scale * x + by.offset  # noqa: E731 the law of a unit
                    of += judge(limits[kind], one, channel, read, kind, "unit_jump")
            share = of["masked"] / (of["n"] * LASTS)
            told = [f"{of['n']}", f"{of['told']}", f"{of['other']}", f"{share:.1%}", f"{of['elsewhere']}"]
            rows.append([f"unit: {conversion.says}", *told])
    header = ["half an hour, each channel of each device", "n", "told", "told as another", "masked", "masked elsewhere"]
    table("Faults written into normal values", header, rows)


# ---------------------------------------------------------------- deliveries

Way = Callable[[Delivery, float, np.random.Generator], Delivery]
WAYS: dict[str, Way] = {
    "prompt": lambda d, middle_s, rng: d,
    "a hundred readings a message": lambda d, middle_s, rng: batched(d, 100),
    "20 again": lambda d, middle_s, rng: in_order([*d, *(one._replace(at_s=d[700].at_s) for one in d[681:701])]),
    "5 % twice": lambda d, middle_s, rng: twice(d, 0.05, rng),
    "all twice": lambda d, middle_s, rng: twice(d, 1.0, rng),
    "5 % overtaken by two": lambda d, middle_s, rng: held_up(d, 0.05, 25.0, rng)[:-5],
    "half overtaken by two": lambda d, middle_s, rng: held_up(d, 0.5, 25.0, rng)[:-5],
    "a third 5 min late": lambda d, middle_s, rng: held_up(d, 0.35, 300.0, rng)[:-40],
    "one time an hour ahead": lambda d, middle_s, rng: clock(d, lambda t: HOUR_S * (abs(t - middle_s) < 1.0)),
    "clock 10 min ahead": lambda d, middle_s, rng: clock(d, lambda t: 600.0),
    "clock 10 min behind": lambda d, middle_s, rng: clock(d, lambda t: -600.0),
    "clock set back 10 min": lambda d, middle_s, rng: clock(d, lambda t: -600.0 * (t > middle_s)),
    "clock set ahead 10 min": lambda d, middle_s, rng: clock(d, lambda t: 600.0 * (t > middle_s)),
    "clock gains 1 %": lambda d, middle_s, rng: clock(d, lambda t: 0.01 * (t - middle_s)),
    "15 min lost": lambda d, middle_s, rng: lost(d, middle_s, middle_s + 900.0),
    "15 min kept back, at once": lambda d, middle_s, rng: outage(d, middle_s, middle_s + 900.0),
    "15 min kept back, 20 a second": lambda d, middle_s, rng: outage(d, middle_s, middle_s + 900.0, 20.0),
    "falls silent": lambda d, middle_s, rng: d[:700],
}


def test_deliveries(week: list[TimeSeries], limits: dict[str, Limits]) -> None:
    rows = []
    for name, way in WAYS.items():
        opened: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        sent = fed = 0
        for kind, of in OF.items():
            for index, one in enumerate(week[of]):
                four_hours = one[3 * DAY : 3 * DAY + ROWS]
                rng = np.random.default_rng(index)
                quality = FleetQuality(limits[kind])
                middle_s = float(four_hours.times[ROWS // 2])
                delivery = way(prompt(four_hours, rng), middle_s, rng)
                heard = listen(
                    quality, delivery, turn_s=30.0, until_s=0.0 if delivery[-1].at_s > middle_s else HOUR_S + middle_s
                )
                opened.update(heard.opened())
                refused.update({k.removeprefix("dropped."): n for k, n in quality.counters.items() if "dropped" in k})
                sent, fed = sent + len(delivery), fed + len(heard.fed)
        rows.append([name, str(dict(opened)), f"{fed:,} of {sent:,}", str(dict(refused))])
    table("20 devices, four hours each", ["delivery", "issues opened", "fed", "refused"], rows)


# ---------------------------------------------------------------- cost


def test_cost(week: list[TimeSeries], limits: dict[str, Limits]) -> None:
    rows = []
    names = KINDS["pump"].names
    for devices, each, turns in ((1, 1, 500), (500, 1, 40), (5, 100, 40), (2000, 1, 10)):
        quality, spent_s = FleetQuality(limits["pump"]), 0.0
        for turn in range(turns + 1):
            readings = [
                Reading(f"d{device}", 10.0 * row, dict(zip(names, line, strict=True)))
                for device in range(devices)
                for row, line in enumerate(
                    week[device % 10].values[DAY + turn * each : DAY + (turn + 1) * each].tolist(), turn * each
                )
            ]
            begun_s = time.process_time()
            quality.screen(readings, [10.0 * (turn + 1) * each] * len(readings))
            spent_s += (time.process_time() - begun_s) * (turn > 0)  # the first one makes room
        a_turn = spent_s / turns
        rows.append(
            [f"{devices} devices, {each} each", f"{1e6 * a_turn:.0f}", f"{1e6 * a_turn / (devices * each):.1f}"]
        )
    title = f"Cost with 8 channels; {FleetQuality(limits['pump']).bytes_per_device()} bytes a device"
    table(title, ["a turn of", "µs a turn", "µs a reading"], rows)
