"""The network of a scenario: each pathology does what it says, nothing depends on where a run is cut, counts add up."""

import math
import tomllib
from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from anomgan.records import Reading
from anomgan.simulate import Scenario, parse_scenario, ticks
from anomgan.simulate.network import Counts, Delivery, Incident, Network, Switch, Told

Item = Delivery | Switch | Told
ROWS = 600
PLANT = """
[clock]
duration_s = 600
period_s = 1.0
seed = 3
[[devices]]
kind = "air_quality"
name = "a-"
count = 3
site = "north"
[[devices]]
kind = "air_quality"
name = "b-"
count = 2
site = "south"
"""
EVERYTHING = """
[network]
delay_s = 0.1
jitter_s = 0.7
loss = 0.05
duplicate = 0.04
reorder = 0.03
buffer = 20
clock_spread_s = 2.0
[[incidents]]
kind = "outage"
site = "north"
start_s = 100
end_s = 150
[[incidents]]
kind = "reboot"
device = "b-1"
start_s = 300
end_s = 320
[[incidents]]
kind = "absent"
device = "b-2"
end_s = 200
[[incidents]]
kind = "clock_skew"
device = "a-2"
offset_s = 90
start_s = 200
[[incidents]]
kind = "bad_link"
start_s = 400
end_s = 450
loss = 0.5
"""


def incident(kind: str, **keys: Any) -> str:
    lines = [f"{key} = {str(value).lower() if value is True else repr(value)}" for key, value in keys.items()]
    return "\n".join(["[[incidents]]", f'kind = "{kind}"', *lines]) + "\n"


def plan(toml: str) -> Scenario:
    return parse_scenario(tomllib.loads(PLANT + toml), "plant.toml")


class Plain:
    """Writes a reading's time to a topic that is its device."""

    def encode(self, readings: Sequence[Reading]) -> list[tuple[str, bytes]]:
        """One message for each reading."""
        return [(reading.device, repr(reading.time_s).encode()) for reading in readings]

    def unsaid(self, messages: Sequence[tuple[str, bytes]]) -> Sequence[tuple[str, bytes]]:
        """All can be sent later."""
        return messages

    def anew(self, site: str, device: str, time_s: float) -> list[tuple[str, bytes]]:
        """Nothing needs to be said first."""
        return []


@pytest.fixture(scope="module")
def rows() -> list[list[Reading]]:
    return [tick.readings for tick in ticks(plan(""))]


def play(toml: str, rows: list[list[Reading]], first: int = 0, stop: int = ROWS) -> tuple[list[Item], Counts]:
    scenario = plan(toml)
    assert scenario.network is not None
    network, found, writer = Network(scenario.network, first, stop), list[Item](), Plain()
    for row in range(stop):
        found += network.due(network.row_s(row), also=False)
        network.take(row, rows[row], writer)
        found += network.due(network.row_s(row), also=True)
    found += network.due(network.stop_s, also=False)
    return found, network.finish()


def deliveries(items: list[Item], device: str = "") -> list[Delivery]:
    return [item for item in items if isinstance(item, Delivery) and device in ("", item.topic)]


def stamps(items: list[Item], device: str) -> list[float]:
    """The times in a device's messages, in the order of arrival; seconds after the start of the run."""
    start_s = plan("").start_s
    return [float(item.payload) - start_s for item in deliveries(items, device)]


# ---------------------------------------------------------------- what holds for all of it


def test_without_a_network_there_is_none_between() -> None:
    assert plan("").network is None
    assert plan("[network]\nbuffer = 1000").network is None
    assert plan("[network]\nloss = 0.1").network is not None


@pytest.mark.parametrize("toml", [EVERYTHING, EVERYTHING + incident("outage", device="a-3", start_s=440)])
@pytest.mark.parametrize("cuts", [(0, 123, ROWS), (0, 100, 140, 151, 305, ROWS), (0, 1, 149, 150, 321, 450, ROWS)])
def test_pieces_of_a_run_give_what_the_whole_gives(cuts: tuple[int, ...], toml: str, rows: list[list[Reading]]) -> None:
    whole, counts = play(toml, rows)
    pieces = [play(toml, rows, first, stop) for first, stop in pairwise(cuts)]
    assert [item for found, _ in pieces for item in found] == whole
    for name in {field.name for field in fields(Counts)} - {"carried", "pending"}:
        assert sum(getattr(piece, name) for _, piece in pieces) == getattr(counts, name), name
    for (_, before), (_, after) in pairwise(pieces):
        assert after.carried == before.pending


@pytest.mark.parametrize("stop", [100, 120, ROWS])
def test_counts_add_up(stop: int, rows: list[list[Reading]]) -> None:
    found, counts = play(EVERYTHING, rows, 0, stop)
    assert counts.published == len(deliveries(found))
    gone = counts.lost + counts.overflowed + counts.pending
    assert counts.published == counts.carried + counts.generated + counts.duplicated - gone
    assert counts.pending == 0 or stop < ROWS
    assert all(getattr(counts, name) > 0 for name in ("generated", "duplicated", "lost", "delayed", "reordered"))


def test_one_device_is_not_changed_by_what_happens_to_another(rows: list[list[Reading]]) -> None:
    alone, _ = play("[network]\nloss = 0.1\njitter_s = 0.5\n", rows)
    beside, _ = play(
        "[network]\nloss = 0.1\njitter_s = 0.5\n" + incident("outage", device="a-1", start_s=50, end_s=90), rows
    )
    assert deliveries(alone, "a-2") == deliveries(beside, "a-2")
    assert deliveries(alone, "a-1") != deliveries(beside, "a-1")


def test_things_happen_in_order(rows: list[list[Reading]]) -> None:
    found, _ = play(EVERYTHING, rows)
    assert [item.due_s for item in found] == sorted(item.due_s for item in found)


def test_another_seed_is_another_network_of_the_same_kind(rows: list[list[Reading]]) -> None:
    one, other = plan("[network]\nloss = 0.2\n"), plan("[network]\nloss = 0.2\n")
    changed = parse_scenario(tomllib.loads(PLANT.replace("seed = 3", "seed = 4") + "[network]\nloss = 0.2\n"), "x")
    found = []
    for scenario in (one, other, changed):
        assert scenario.network is not None
        network = Network(scenario.network)
        for row in range(200):
            network.take(row, rows[row], Plain())
        found.append([item.payload for item in network.due(math.inf, also=False) if isinstance(item, Delivery)])
    assert found[0] == found[1] != found[2]


# ---------------------------------------------------------------- one pathology at a time


def test_delay_and_jitter_are_those_asked_for_and_keep_a_devices_order(rows: list[list[Reading]]) -> None:
    found, counts = play("[network]\ndelay_s = 0.2\njitter_s = 0.1\n", rows)
    start_s = plan("").start_s
    delays = np.array([item.due_s - (float(item.payload) - start_s) for item in deliveries(found)])
    assert delays.min() >= 0.2 - 1e-6
    extra = delays - 0.2
    assert extra.mean() == pytest.approx(0.1, rel=0.1)
    assert extra.std() == pytest.approx(0.1, rel=0.15)  # exponential: as much as the mean
    assert counts.delayed == counts.published == 5 * ROWS
    for device in ("a-1", "b-2"):
        assert stamps(found, device) == sorted(stamps(found, device))
    slow, counts = play("[network]\njitter_s = 5.0\n", rows)
    assert counts.reordered == 0
    assert stamps(slow, "a-1") == sorted(stamps(slow, "a-1"))


def test_loss_takes_the_share_that_it_says(rows: list[list[Reading]]) -> None:
    found, counts = play("[network]\nloss = 0.2\n", rows)
    assert counts.lost == 5 * ROWS - len(deliveries(found))
    assert counts.lost == pytest.approx(0.2 * 5 * ROWS, abs=4 * math.sqrt(0.16 * 5 * ROWS))
    assert deliveries(play("[network]\nloss = 1.0\n", rows)[0]) == []


def test_no_stretch_of_a_run_repeats_the_chances_of_another(rows: list[list[Reading]]) -> None:
    found, _ = play("[network]\nloss = 0.5\n", rows)
    arrived = np.isin(np.arange(512), stamps(found, "a-1")).reshape(4, 128)
    assert len({one.tobytes() for one in arrived}) == 4


def test_duplicates_are_the_same_bytes_again_and_soon(rows: list[list[Reading]]) -> None:
    found, counts = play("[network]\nduplicate = 0.1\nduplicate_s = 3.0\n", rows)
    times: dict[tuple[str, bytes], list[float]] = {}
    for item in deliveries(found):
        times.setdefault((item.topic, item.payload), []).append(item.due_s)
    twice = [both for both in times.values() if len(both) == 2]
    assert len(times) == 5 * ROWS
    assert len(twice) == counts.duplicated
    assert counts.duplicated == pytest.approx(0.1 * 5 * ROWS, abs=4 * math.sqrt(0.09 * 5 * ROWS))
    assert all(0 <= second - first <= 3.0 for first, second in twice)
    assert counts.reordered == 0  # a second copy is late, not out of order


def test_reordered_messages_come_after_later_ones_and_are_counted(rows: list[list[Reading]]) -> None:
    found, counts = play("[network]\nreorder = 0.1\n", rows)
    overtaken = 0
    for device in ("a-1", "a-2", "a-3", "b-1", "b-2"):
        mine = np.array(stamps(found, device))
        overtaken += int((mine < np.maximum.accumulate(mine)).sum())
        assert sorted(mine) == list(range(ROWS))
    assert overtaken == counts.reordered
    assert counts.reordered == pytest.approx(0.1 * 5 * ROWS, abs=4 * math.sqrt(0.09 * 5 * ROWS))


def test_an_outage_ends_in_a_burst_in_order_with_the_old_times(rows: list[list[Reading]]) -> None:
    found, counts = play(incident("outage", device="a-1", start_s=100, end_s=150), rows)
    mine = deliveries(found, "a-1")
    assert [item for item in mine if 100 <= item.due_s < 150] == []
    burst = [float(item.payload) - plan("").start_s for item in mine if item.due_s == 150.0]
    assert burst == [float(second) for second in range(100, 151)]  # and the row of that moment after them
    assert stamps(found, "a-1") == [float(second) for second in range(ROWS)]
    assert counts.buffered == 50
    around = [item for item in found if item.due_s in (100.0, 150.0) and not isinstance(item, Delivery)]
    source = ("north", "a-1")
    assert [type(item).__name__ for item in around] == ["Told", "Switch", "Switch", "Told"]
    assert around[1:3] == [Switch(100.0, source, False, False), Switch(150.0, source, True, False)]


def test_a_small_buffer_keeps_the_latest(rows: list[list[Reading]]) -> None:
    text = "[network]\nbuffer = 5\n" + incident("outage", start_s=100, end_s=150)
    found, counts = play(text, rows)
    assert [s for s in stamps(found, "b-1") if 100 <= s < 150] == [145.0, 146.0, 147.0, 148.0, 149.0]
    assert counts.overflowed == 5 * 45
    nothing, counts = play(text.replace("buffer = 5", "buffer = 0"), rows)
    assert [s for s in stamps(nothing, "b-1") if 100 <= s < 150] == []
    assert counts.overflowed == 5 * 50


def test_after_a_reboot_the_clock_counts_from_1970_until_it_is_set(rows: list[list[Reading]]) -> None:
    found, counts = play(incident("reboot", device="a-1", start_s=100, end_s=120, unset_s=30), rows)
    told = {item.due_s: float(item.payload) for item in deliveries(found, "a-1")}
    start_s = plan("").start_s
    assert [second for second in range(ROWS) if float(second) not in told] == list(range(100, 120))
    assert all(told[second] == second - 120.0 for second in range(120, 150))
    assert all(told[second] == start_s + second for second in (0, 99, 150, 151, 599))
    assert (counts.misdated, counts.generated) == (30, 5 * ROWS - 20)


def test_a_second_reboot_starts_the_clock_anew_and_setting_it_then_sets_it_for_good(rows: list[list[Reading]]) -> None:
    long = incident("reboot", device="a-1", start_s=100, end_s=120, unset_s=400)
    short = incident("reboot", device="a-1", start_s=200, end_s=210, unset_s=30)
    told = {item.due_s: float(item.payload) for item in deliveries(play(long + short, rows)[0], "a-1")}
    start_s = plan("").start_s
    assert all(told[second] == second - 120.0 for second in range(120, 200))
    assert all(told[second] == second - 210.0 for second in range(210, 240))
    assert all(told[second] == start_s + second for second in range(240, ROWS))


@pytest.mark.parametrize("end", [{}, {"end_s": ROWS}])
@pytest.mark.parametrize("kind", ["outage", "reboot", "absent"])
def test_who_is_away_at_the_end_of_the_run_does_not_come_back(
    kind: str, end: dict[str, int], rows: list[list[Reading]]
) -> None:
    found, counts = play("[network]\ndelay_s = 3.5\n" + incident(kind, device="a-1", start_s=500, **end), rows)
    switches = [item for item in found if isinstance(item, Switch)]
    assert switches == [Switch(500.0, ("north", "a-1"), False, False)]
    assert max(item.due_s for item in deliveries(found, "a-1")) < 500
    told = [(item.due_s, item.state) for item in found if isinstance(item, Told)]
    assert told == [(500.0, "begin"), (600.0, "end")]
    under_way = sum(1 for second in range(500) if second + 3.5 >= 500)
    assert (counts.pending, counts.lost) == ((100 + under_way, 0) if kind == "outage" else (0, under_way))
    assert max(item.due_s for item in deliveries(found, "a-2")) == 602.5


def test_a_reading_that_would_come_twice_takes_one_place_in_the_buffer(rows: list[list[Reading]]) -> None:
    text = "[network]\nbuffer = 5\nduplicate = 1.0\nduplicate_s = 0.5\n"
    found, counts = play(text + incident("outage", device="a-1", start_s=100, end_s=150), rows)
    burst = [s for s in stamps(found, "a-1") if 100 <= s < 150]
    assert burst == [stamp for stamp in (145.0, 146.0, 147.0, 148.0, 149.0) for _ in range(2)]
    assert (counts.overflowed, counts.buffered) == (2 * 45, 2 * 5)


def test_what_is_on_its_way_when_the_power_fails_is_lost(rows: list[list[Reading]]) -> None:
    found, counts = play(
        "[network]\ndelay_s = 3.5\n" + incident("reboot", device="a-1", start_s=100, end_s=120, unset_s=1), rows
    )
    assert [s for s in stamps(found, "a-1") if 90 <= s < 130][:8] == [90.0, 91.0, 92.0, 93.0, 94.0, 95.0, 96.0, 121.0]
    assert counts.lost == 3


def test_an_absent_device_sends_nothing_and_joins_with_a_right_clock(rows: list[list[Reading]]) -> None:
    found, counts = play(incident("absent", device="b-2", end_s=200), rows)
    assert stamps(found, "b-2") == [float(second) for second in range(200, ROWS)]
    assert counts.misdated == 0
    scenario = plan(incident("absent", device="b-2", end_s=200))
    assert scenario.network is not None
    assert Network(scenario.network).offline() == {("south", "b-2")}
    assert Network(scenario.network, 200).offline() == set()


def test_a_skewed_clock_is_off_by_its_offset_and_drifts(rows: list[list[Reading]]) -> None:
    found, counts = play(
        incident("clock_skew", device="a-2", start_s=200, end_s=500, offset_s=-90.5, drift_ppm=1000.0), rows
    )
    true = np.arange(ROWS, dtype=float)
    off = np.where((true >= 200) & (true < 500), -90.5 + 1e-3 * (true - 200), 0.0)
    shown = [float(item.payload) - plan("").start_s for item in deliveries(found, "a-2")]
    np.testing.assert_allclose(shown, true + off, atol=6e-4)
    assert counts.misdated == 300
    assert [item.due_s for item in deliveries(found, "a-2")] == true.tolist()


def test_the_spread_of_clocks_is_told_as_truth_for_each_device(rows: list[list[Reading]]) -> None:
    found, _ = play("[network]\nclock_spread_s = 20.0\nclock_spread_ppm = 100.0\n", rows)
    told = {item.incident.device: item.incident for item in found if isinstance(item, Told) and item.state == "begin"}
    assert len({one.offset_s for one in told.values()}) == len(told) == 5
    for device, one in told.items():
        expected = one.offset_s + 1e-6 * one.drift_ppm * np.arange(ROWS)
        np.testing.assert_allclose(np.array(stamps(found, device)) - np.arange(ROWS), expected, atol=6e-4)
        assert (one.kind, one.start_s, one.end_s) == ("clock_skew", 0.0, 600.0)


def test_a_bad_link_is_bad_for_its_time_only(rows: list[list[Reading]]) -> None:
    found, counts = play(incident("bad_link", device="a-1", start_s=100, end_s=300, loss=1.0), rows)
    assert stamps(found, "a-1") == [*map(float, range(100)), *map(float, range(300, ROWS))]
    assert counts.lost == 200


def test_devices_may_differ_in_their_links(rows: list[list[Reading]]) -> None:
    scenario = parse_scenario(
        tomllib.loads(PLANT + "network = { qos = 0, loss = 0.0 }\n[network]\nloss = 1.0\nretain = true\n"), "plant.toml"
    )
    assert scenario.network is not None
    network = Network(scenario.network)
    network.take(0, rows[0], Plain())
    found = deliveries(list(network.due(0.0, also=True)))
    assert [(item.topic, item.qos, item.retain) for item in found] == [("b-1", 0, True), ("b-2", 0, True)]


def test_incidents_tell_all_there_is_to_know() -> None:
    scenario = plan(EVERYTHING)
    assert scenario.network is not None
    details = {one.kind: one.detail for one in scenario.network.incidents if one.number >= 0}
    assert details == {
        "outage": {"goodbye": False},
        "reboot": {"unset_s": 60.0},
        "absent": {"goodbye": False},
        "clock_skew": {"offset_s": 90.0, "drift_ppm": 0.0},
        "bad_link": {"loss": 0.5},
    }
    assert all(isinstance(one, Incident) for one in scenario.network.incidents)
