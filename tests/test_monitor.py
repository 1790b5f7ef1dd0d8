"""The monitor over the in-memory twins: heartbeats in silent times, complaints told once, pages that add up."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from anomgan.adapters.journal import Journal
from anomgan.adapters.memory import MemoryPublisher, MemorySource
from anomgan.adapters.mqtt_carrier import MqttCarrier
from anomgan.adapters.ports import Letter
from anomgan.config import ServiceConfig, parse_config
from anomgan.errors import Refused, ServerError
from anomgan.wire.heartbeat import Heartbeat, heartbeat_line
from anomgan.wire.notice import decode_notice
from anomgan_detector.courier import Courier
from anomgan_detector.metrics import ALIVE_S
from anomgan_detector.monitor import Monitor
from anomgan_detector.pulse import Figures, FleetFigures, Pulse

NOW = 1_800_000_000.0
LIMIT = 10_000


class FalsePing:
    """A dead man's switch that counts."""

    def __init__(self) -> None:
        self.sent = 0
        self.refuses = False

    def send(self) -> None:
        """Count."""
        if self.refuses:
            raise Refused("monitor.ping_url: HTTP 500")
        self.sent += 1

    def close(self) -> None:
        """Nothing to close."""


class Watched:
    """A monitor with all it looks at."""

    def __init__(self, folder: Path, **monitor: Any) -> None:
        document = {
            "fleets": [{"model": "m", "topic": "{device}"}],
            "store": {"influx": {}},
            "monitor": {"heartbeat_s": 10.0, "silent_min": 1.0, **monitor},
        }
        self.now_s = NOW
        self.path = folder / "journal.db"
        self.journal = Journal(self.path, LIMIT)
        self.pulse, self.source, self.publisher, self.ping = Pulse(), MemorySource(), MemoryPublisher(), FalsePing()
        self.source.since_s = NOW
        self.courier = Courier("influx", Journal(self.path, LIMIT), MqttCarrier(self.publisher, 1), lambda: self.now_s)
        self.monitor = Monitor(
            parse_config(ServiceConfig, document, "x"),
            self.pulse,
            self.source,
            [self.courier],
            Journal(self.path, LIMIT),
            [self.publisher],
            ["notify.json-1"],
            lambda: self.now_s,
            self.ping,  # type: ignore[arg-type]  # its twin
        )

    def look(self, after_s: float, *, beats: bool = True, message: bool = False) -> None:
        """Let time pass, the loop come round, and look."""
        self.now_s += after_s
        if beats:
            self.pulse.beat(self.now_s)
        if message:
            self.source.last_message_s = self.now_s
        self.monitor.look(self.now_s)

    def told(self, topic: str) -> list[dict[str, Any]]:
        """What was published there."""
        return [json.loads(payload) for where, payload in self.publisher.published if where == topic]

    def notices(self) -> list[str]:
        """What people hear."""
        return [decode_notice(one.body).body for one in self.journal.letters("notify.json-1", 99)]

    def page(self, path: str) -> tuple[int, Any]:
        """Status and content."""
        page = self.monitor.metrics.answer(path, self.now_s)
        assert page is not None
        return page.status, json.loads(page.body) if page.kind == "application/json" else page.body.decode()

    def samples(self) -> dict[str, float]:
        """name{labels} -> value, as a Prometheus server reads them."""
        status, text = self.page("/metrics")
        assert status == 200
        return {
            sample.name + (str(sorted(sample.labels.items())) if sample.labels else ""): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    one = Watched(tmp_path)
    yield one
    one.monitor.close()
    one.courier.close()
    one.journal.close()


def test_a_heartbeat_goes_out_every_so_often_in_silent_times_too(watched: Watched) -> None:
    for _ in range(45):
        watched.look(1.0)
    beats = watched.told("anomgan/heartbeat")
    assert [beat["time_s"] - NOW for beat in beats] == [1.0, 11.0, 21.0, 31.0, 41.0]
    assert beats[-1]["silent_s"] == 41.0
    assert beats[-1]["wrong"] == []
    assert watched.ping.sent == 5
    lines = [letter.body.decode() for letter in watched.journal.letters("influx", 99)]
    assert len(lines) == 5
    assert lines[0] == (
        "anomgan_heartbeat uptime_s=1.0,connected=true,silent_s=1.0,devices=0i,open_events=0i,journal_bytes=0i,"
        f"letters_waiting=0i,dropped=0i,wrong=0i {round((NOW + 1) * 1e6)}"
    )


def test_a_complaint_is_told_to_people_and_on_the_status_topic_once_and_so_is_its_end(watched: Watched) -> None:
    for _ in range(70):
        watched.look(1.0)
    assert watched.notices() == ["No message from the broker for 60 s although connected."]
    assert watched.ping.sent == 6  # every ten seconds, and not while something is wrong
    watched.look(1.0, message=True)
    assert watched.notices() == [
        "No message from the broker for 60 s although connected.",
        "It was: no message from the broker for 60 s although connected.",
    ]
    lists = watched.told("anomgan/status/wrong")
    assert [[one["what"] for one in told["wrong"]] for told in lists] == [[], ["silent"], []]
    assert json.loads(watched.publisher.retained["anomgan/status/wrong"])["wrong"] == []


def test_what_could_not_be_told_is_told_later(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Journal, letters: list[Letter]) -> None:
        raise ServerError("journal: the disk is full")

    watched.publisher.connected = False
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "post", fails)
        watched.look(61.0)
        watched.look(1.0)
    assert watched.told("anomgan/status/wrong") == watched.notices() == []
    assert watched.monitor.counters["monitor_failures.tell"] == 2
    watched.publisher.connected = True
    watched.look(1.0)
    assert len(watched.notices()) == 1
    assert len(watched.told("anomgan/status/wrong")) == 1


def test_a_dead_mans_switch_that_fails_is_counted_and_disturbs_nothing(watched: Watched) -> None:
    watched.ping.refuses = True
    watched.look(1.0)
    assert watched.monitor.counters["monitor_failures.ping"] == 1
    assert len(watched.told("anomgan/heartbeat")) == 1


def test_no_heartbeat_is_kept_for_influxdb_in_a_journal_that_is_full(watched: Watched) -> None:
    watched.journal.post([Letter("influx", b"x" * LIMIT)])
    watched.look(1.0)
    assert watched.journal.standing().waiting["influx"] == 1
    assert watched.told("anomgan/heartbeat")[0]["journal_bytes"] == LIMIT
    assert watched.page("/readyz")[1]["reasons"] == ["the journal is full"]
    assert watched.notices() == ["The journal is 100% full; when it is full, nothing more is taken from the broker."]


# ---------------------------------------------------------------- pages


def test_metrics_say_what_the_counters_say(watched: Watched) -> None:
    counters = {"messages_received": 7, "dropped.late": 2, "dropped.overflow": 0, "delivery_failures.influx": 3}
    fleets = [FleetFigures("pump", "abc123", 5, 2), FleetFigures("fan", "def456", 1, 0)]
    watched.pulse.figures = Figures(NOW, counters, fleets)
    with watched.pulse.turning():
        pass
    watched.journal.post([Letter("influx", b"12345"), Letter("mqtt", b"1")])
    watched.source.feed("t", b"waiting")
    watched.look(2.0)
    found = watched.samples()
    expected = {
        "anomgan_messages_received_total": 7,
        "anomgan_dropped_total[('reason', 'late')]": 2,
        "anomgan_dropped_total[('reason', 'overflow')]": 0,
        "anomgan_delivery_failures_total[('addressee', 'influx')]": 3,
        "anomgan_devices[('fleet', '0')]": 5,
        "anomgan_open_events[('fleet', '0')]": 2,
        "anomgan_model_info[('digest', 'def456'), ('fleet', '1'), ('model', 'fan')]": 1,
        "anomgan_letters_waiting[('addressee', 'influx')]": 1,
        "anomgan_letters_waiting[('addressee', 'mqtt')]": 1,
        "anomgan_journal_bytes": 6,
        "anomgan_journal_limit_bytes": LIMIT,
        "anomgan_last_message_age_seconds": 2.0,
        "anomgan_connected": 1,
        "anomgan_queued_messages": 1,
        "anomgan_store_failing": 0,
        "anomgan_wrong": 0,
        "anomgan_turn_seconds_count": 1,
        "anomgan_turn_seconds_bucket[('le', '+Inf')]": 1,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert found["process_resident_memory_bytes"] > 1e6


def test_metrics_count_the_monitor_s_own_failures(watched: Watched) -> None:
    watched.monitor.counters["monitor_failures.ping"] += 3
    watched.look(1.0)
    assert watched.samples()["anomgan_monitor_failures_total[('reason', 'ping')]"] == 3


def test_pages_before_the_first_look_and_of_unknown_paths(watched: Watched) -> None:
    assert watched.page("/healthz") == (503, {"status": "not alive", "reasons": ["it is starting"]})
    assert watched.page("/readyz")[0] == 503
    assert watched.page("/metrics")[0] == 200
    assert watched.monitor.metrics.answer("/", NOW) is None


def test_alive_is_a_loop_that_comes_round_and_ready_is_more(watched: Watched) -> None:
    watched.look(1.0)
    assert watched.page("/healthz") == (200, {"status": "alive", "reasons": []})
    assert watched.page("/readyz") == (200, {"status": "ready", "reasons": []})
    watched.source.connected, watched.source.reason = False, "connection refused"
    watched.pulse.fail(watched.now_s, "store x: the disk is full")
    watched.look(3.0)
    assert watched.page("/healthz")[0] == 200
    status, said = watched.page("/readyz")
    assert (status, said["reasons"]) == (
        503,
        ["not connected: connection refused", "for 3 s nothing is stored: store x: the disk is full"],
    )
    watched.pulse.succeed()
    watched.look(ALIVE_S, beats=False)
    assert watched.page("/healthz") == (503, {"status": "not alive", "reasons": ["no turn for 60 s"]})


def test_a_report_that_nobody_renews_is_not_believed(watched: Watched) -> None:
    watched.look(1.0)
    watched.now_s += ALIVE_S
    assert watched.page("/healthz")[1]["reasons"] == ["nobody has looked after it for 60 s"]


def test_the_line_of_a_heartbeat_sums_up_what_was_dropped_for_any_reason() -> None:
    counters = {"dropped.late": 2, "dropped.broken_json": 1, "gaps": 5, "messages_received": 9}
    beat = Heartbeat(NOW, 1.0, True, 0.0, 1, 0, 0, {}, (), counters)
    assert ",dropped=3i," in heartbeat_line(beat)
