"""The simulator's loop with a network: messages at their simulated time at any speed, with truth and counts."""

import json
import tomllib
from collections.abc import Callable
from dataclasses import asdict

import pytest

from anomgan.adapters.open_files import SPARE, allow_open_files
from anomgan.errors import ConfigError
from anomgan.simulate import Network, Scenario, parse_scenario, ticks
from anomgan.simulate.network import Delivery, Switch
from anomgan_simulator.connections import clients
from anomgan_simulator.describe import describe_scenario, describe_totals
from anomgan_simulator.pace import Pace
from anomgan_simulator.play import Totals, play

PLANT = """
[clock]
duration_s = 100
[[devices]]
kind = "air_quality"
name = "a-"
count = 2
site = "north"
[network]
{network}
[[incidents]]
kind = "outage"
device = "a-1"
start_s = 20
end_s = 50
"""
START_S = 1704067200.0


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self, stop_at: float = 1e9) -> None:
        self.time = 1000.0
        self.stop_at = stop_at
        self.stall_at = 1e9
        self.asked = 0

    def now(self) -> float:
        """What the clock shows."""
        return self.time

    def wait(self, seconds: float) -> bool:
        """Let time pass; True when told to stop."""
        self.asked += 1
        self.time += seconds
        if self.time > self.stall_at:
            self.time, self.stall_at = self.time + 30.0, 1e9
        return self.time >= self.stop_at


def plan(network: str) -> Scenario:
    return parse_scenario(tomllib.loads(PLANT.format(network=network)), "plant.toml")


class Noted:
    """A Publisher that notes when what came."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.heard: list[tuple[float, str, bytes]] = []
        self.switched: list[tuple[float, str, bool]] = []
        self.connected = True

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Note when what came."""
        self.heard.append((self.now(), topic, payload))

    def flush(self, timeout_s: float) -> bool:
        """Nothing is ever under way."""
        return True

    def close(self) -> None:
        """Nothing to leave."""


class NotedDevices:
    """The devices' own connections, with the clock of a Noted."""

    def __init__(self, noted: Noted) -> None:
        self.noted = noted
        self.by: list[str] = []

    def publish(self, source: tuple[str, str], delivery: Delivery) -> None:
        """Note whose it was."""
        self.by.append(source[1])
        self.noted.publish(delivery.topic, delivery.payload)

    def switch(self, switch: Switch) -> None:
        """Note when it was."""
        self.noted.switched.append((self.noted.now(), switch.source[1], switch.up))


def run(
    scenario: Scenario, speed: float = 0.0, clock: Clock | None = None, first: int = 0, stop: int = 100
) -> tuple[Totals, Noted, NotedDevices]:
    assert scenario.network is not None
    clock = clock or Clock()
    noted = Noted(clock.now)
    devices = NotedDevices(noted)
    network = Network(scenario.network, first, stop)
    totals = play(
        ticks(scenario, 0, stop),
        noted,
        scenario.config.output,
        Pace(speed, clock.now, clock.wait),
        scenario.start_s,
        clock.now,
        network=network,
        devices=None if network.shared else devices,
    )
    return totals, noted, devices


@pytest.mark.parametrize("speed", [1.0, 20.0])
def test_delays_count_in_simulated_time(speed: float) -> None:
    _, noted, _ = run(plan("delay_s = 0.25"), speed)
    telemetry = [
        (at, json.loads(payload)["ts"]) for at, topic, payload in noted.heard if topic.endswith("a-2/telemetry")
    ]
    assert len(telemetry) == 100
    for at, stamp in telemetry:
        assert (at - 1000.0) * speed == pytest.approx(stamp - START_S + 0.25)


def test_every_speed_gives_the_same_messages_in_the_same_order() -> None:
    bad = plan("jitter_s = 1.5\nloss = 0.1\nduplicate = 0.1\nreorder = 0.1")
    heard = [[one[1:] for one in run(bad, speed)[1].heard] for speed in (0.0, 1.0, 50.0)]
    assert heard[0] == heard[1] == heard[2]
    assert len(heard[0]) > 150


def test_pieces_together_are_the_whole_with_truth_told_once() -> None:
    bad = plan("jitter_s = 1.5\nloss = 0.1\nduplicate = 0.1\nreorder = 0.1")
    whole, noted, _ = run(bad)
    pieces = [run(bad, first=first, stop=stop) for first, stop in ((0, 30), (30, 31), (31, 100))]
    assert [one[1:] for _, piece, _ in pieces for one in piece.heard] == [one[1:] for one in noted.heard]
    for key in ("messages_published", "truth_published", "incidents", "readings", "rows"):
        assert sum(asdict(totals)[key] for totals, _, _ in pieces) == asdict(whole)[key], key
    assert (whole.incidents, whole.truth_published) == (1, 2)


def test_a_later_piece_begins_at_once() -> None:
    _, noted, _ = run(plan("delay_s = 0.5"), speed=1.0, first=60)
    assert noted.heard[0][0] == 1000.5
    assert noted.heard[-1][0] == pytest.approx(1000.0 + 99 - 60 + 0.5)


def test_rows_before_a_piece_leave_the_connections_their_time_and_a_stop_its_effect() -> None:
    clock = Clock()
    run(plan("delay_s = 0.5"), speed=1.0, clock=clock, first=60, stop=61)
    assert clock.asked > 60
    totals, noted, _ = run(plan("delay_s = 0.5"), speed=1.0, clock=Clock(stop_at=1000.0), first=60)
    assert totals.stopped
    assert (totals.rows, noted.heard) == (0, [])


def test_what_is_late_after_the_last_row_counts_too() -> None:
    clock = Clock()
    clock.stall_at = 1100.0
    totals, _, _ = run(plan("delay_s = 3.5"), speed=1.0, clock=clock)
    assert totals.late_s == pytest.approx(30.0)


def test_truth_of_an_incident_surrounds_what_it_does() -> None:
    totals, noted, _ = run(plan("delay_s = 0.0"))
    truth = [index for index, (_, topic, _) in enumerate(noted.heard) if topic == "anomgan/truth/a-1"]
    begin, end = (json.loads(noted.heard[index][2]) for index in truth)
    assert begin == {
        "state": "begin",
        "domain": "network",
        "device": "a-1",
        "site": "north",
        "kind": "outage",
        "channels": [],
        "severity": 1.0,
        "start": "2024-01-01T00:00:20Z",
        "end": "2024-01-01T00:00:50Z",
        "start_s": START_S + 20,
        "end_s": START_S + 50,
        "goodbye": False,
    }
    assert end == begin | {"state": "end"}
    mine = [
        json.loads(payload)["ts"] - START_S for _, topic, payload in noted.heard[truth[0] : truth[1]] if "a-1/" in topic
    ]
    assert mine[:30] == [float(second) for second in range(20, 50)]
    assert totals.network is not None
    assert totals.messages_published == totals.network.published == totals.network.generated == 200


def test_what_devices_say_goes_through_their_own_connections() -> None:
    totals, noted, devices = run(plan('connection = "device"'), speed=10.0)
    assert noted.switched == [(1002.0, "a-1", False), (1005.0, "a-1", True)]
    assert sorted(set(devices.by)) == ["a-1", "a-2"]
    assert len(devices.by) == totals.messages_published == 200
    assert len(noted.heard) == 202  # and the truth


def test_stopped_in_the_middle_it_counts_what_is_under_way() -> None:
    totals, noted, _ = run(plan("delay_s = 5.0"), speed=1.0, clock=Clock(stop_at=1030.0))
    counts = totals.network
    assert totals.stopped
    assert counts is not None
    assert counts.pending > 10
    assert counts.published == counts.generated - counts.pending == totals.messages_published
    assert len([topic for _, topic, _ in noted.heard if "truth" not in topic]) == totals.messages_published


def test_clients_are_the_simulator_and_every_device_and_who_is_offline_waits() -> None:
    scenario = plan('connection = "device"\nstatus = "s/{device}"\npersistent = true')
    assert scenario.network is not None
    wishes, absent = clients("sim", Network(scenario.network, 30))
    assert [(wish.client_id, wish.status_topic, wish.persistent) for wish in wishes] == [
        ("sim", "", False),
        ("north-a-1", "s/a-1", True),
        ("north-a-2", "s/a-2", True),
    ]
    assert absent == {1}
    assert [wish.client_id for wish in clients("sim", None)[0]] == ["sim"]


def test_it_says_what_the_network_does() -> None:
    lines = list(describe_scenario(plan("loss = 0.25\njitter_s = 2\nqos = 0")))
    assert "connection: one for all devices" in lines
    assert "link of a-1 to a-2: jitter_s 2, loss 0.25, qos 0" in lines
    assert "incident: 20 s to 50 s, a-1: outage" in lines
    totals, _, _ = run(plan("loss = 0.25"))
    assert totals.network is not None
    assert f"at worst; network: 200 generated, {totals.network.lost} lost, " in describe_totals(totals)
    totals.lost = 3
    assert "at worst, 3 lost with their connection; network: 200 generated, " in describe_totals(totals)


def test_too_few_open_files_are_an_error_that_names_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    limits = (64, 1000)
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda which, wanted: asked.append(wanted))
    allow_open_files(10)
    allow_open_files(1000 - SPARE)
    assert asked == [(10 + SPARE, 1000), (1000, 1000)]
    with pytest.raises(ConfigError, match=r"5000 connections need 5128 open files \(RLIMIT_NOFILE\), and 1000 are"):
        allow_open_files(5000)
