"""People and the detector service: requests are part of turns, answered, kept for the record, and made again alike."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from detector_plant import NOW, START, Plant, faulty_series, folder, model
from examples import CHANNELS, normal_series, readings_of

from anomgan.adapters.mqtt_request import control_secret
from anomgan.alarms.maintenance import Maintenance
from anomgan.config import ControlConfig, FleetConfig, InputConfig
from anomgan.errors import ConfigError, DataError
from anomgan.records import Reading, TimeSeries
from anomgan.wire.control import encode_request
from anomgan_detector.desk import Desk, check_calendar, let_in, requests_topic
from anomgan_detector.gathering import Gathering

__all__ = ["folder", "model"]  # fixtures
SECRET = "a secret of sixteen letters"  # noqa: S105 it guards nothing
BROKER = {"control": {"authentication": "broker"}}


class Manned(Plant):
    """A plant whose desk takes requests."""

    def __init__(self, model: Path, **tables: Any) -> None:
        super().__init__(model, **{**BROKER, **tables})
        self.desk = self.service._maker._desk = Desk(self.config, self.fleets, let_in(self.config))

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        """The answer to a request."""
        self.source.feed(f"anomgan/request/{command}", json.dumps(fields).encode())
        before = len(self.publisher.published)
        self.drain()
        answers = [json.loads(body) for topic, body in self.publisher.published[before:] if "/response/" in topic]
        return answers[-1] if answers else {}

    def told(self) -> list[str]:
        """The states told on MQTT."""
        return [json.loads(body)["state"] for topic, body in self.publisher.published if topic.endswith("/event")]


def opened(plant: Manned) -> str:
    """Let an event open; its id."""
    plant.feed(readings_of(faulty_series(), "p1")[:48])
    plant.drain()
    (event,) = plant.store.events.values()
    return event.id


def test_a_mute_is_answered_kept_for_the_record_and_holds(model: Path) -> None:
    plant = Manned(model)
    answer = plant.ask("mute", device="p1", for_s=60.0, client="ada", transaction="t7")
    assert (answer["status"], answer["transaction"]) == ("ok", "t7")
    assert answer["data"]["until"] == "2027-01-15T08:01:00Z"
    event_id = opened(plant)
    assert plant.told() == []
    assert plant.store.events[event_id].state == "muted"
    (entry,) = plant.store.audit.values()
    assert (entry.client, entry.command, entry.subject, entry.time_s) == ("ada", "mute", "*/p1", NOW)
    answer = plant.ask("status")
    assert answer["data"]["mutes"][0]["device"] == "p1"
    assert (answer["data"]["open_events"], answer["data"]["muted_events"]) == (1, 1)
    ended = {"ended": 1, "events": [event_id], "site": "*", "device": "p1", "channels": []}
    assert plant.ask("unmute", device="p1")["data"] == ended
    assert plant.told() == ["open"]
    assert plant.ask("unmute", device="p1")["error"] == "nothing of */p1 is muted"
    assert plant.service.counters()["requests_refused.cannot"] == 1
    assert [entry.command for entry in plant.store.audit.values()] == ["mute", "unmute"]
    assert plant.source.unacknowledged == []


def test_feedback_changes_what_is_stored_and_told_and_can_be_undone(model: Path) -> None:
    plant = Manned(model)
    event_id = opened(plant)
    before = asdict(plant.store.events[event_id])
    plant.ask("feedback", device="p1", says="false-alarm")
    assert plant.store.events[event_id].state == "false_alarm"
    assert plant.ask("undo", event=event_id)["status"] == "ok"
    assert asdict(plant.store.events[event_id]) == before
    assert plant.told() == ["open", "false_alarm", "open"]
    assert "no feedback" in plant.ask("undo", event=event_id)["error"]
    assert "no event 'nonsense'" in plant.ask("feedback", event="nonsense", says="real")["error"]
    (told,) = plant.ask("events", limit=5)["data"]["events"]
    assert (told["id"], told["state"]) == (event_id, "open")


def later(series: TimeSeries, by_s: float) -> TimeSeries:
    """The same at another time."""
    return TimeSeries(series.times + by_s, series.values, series.channels)


def test_feedback_works_at_once_says_what_it_does_in_numbers_and_undo_gives_everything_back(model: Path) -> None:
    plant, fault = Manned(model, alarms={"cool_down_s": 0.0}), faulty_series(120)
    plant.feed(readings_of(fault, "p1"))
    plant.drain()
    (event_id,) = plant.store.events
    adaptation = plant.fleets[0].adaptation
    before = adaptation.snapshot()
    learned = plant.ask("feedback", event=event_id, says="false-alarm", client="ada")["data"]["learned"][event_id]
    assert learned["alarming_before"] > learned["alarming_now"]
    (entry,) = plant.store.audit.values()
    assert json.loads(entry.effect)["learned"][event_id] == learned
    assert plant.store.events[event_id].state == "false_alarm"
    plant.feed(readings_of(later(fault, 1000.0), "p1"))
    plant.drain()
    assert list(plant.store.events) == [event_id]  # the same again is no event
    plant.feed(readings_of(later(fault, 1000.0), "p2"))
    plant.drain()
    assert len(plant.store.events) == 2  # of another device it is
    plant.feed(readings_of(later(fault, 2000.0), "p2")[:30])
    plant.ask("undo", event=event_id)
    assert adaptation.lessons(("", "p1")) == {}
    plant.feed(readings_of(later(fault, 2000.0), "p1"))
    plant.drain()
    assert len(plant.store.events) == 3
    assert before != adaptation.snapshot()  # for p2 was odd meanwhile


def test_requests_are_refused_counted_answered_and_acknowledged(model: Path) -> None:
    plant = Manned(model)
    assert "unknown command" in plant.ask("reboot")["error"]
    assert plant.publisher.published[-1][0] == "anomgan/response/unknown"
    plant.source.feed("anomgan/request/mute", b'{"device": "p1"}', retained=True)
    plant.source.feed("anomgan/request/mute", b"{")
    plant.drain()
    counters = plant.service.counters()
    found = {name: n for name, n in counters.items() if name.startswith("requests_")}
    assert found == {
        "requests_received": 3,
        "requests_refused.unknown_command": 1,
        "requests_refused.retained": 1,
        "requests_refused.bad_request": 1,
    }
    assert plant.source.unacknowledged == []
    assert "mutes" not in plant.store.audit


def test_a_flood_of_refused_requests_does_not_fill_the_log_and_says_nothing_that_could_be_taken_for_it(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plant = Manned(model)
    for _ in range(100):
        plant.source.feed(
            "anomgan/request/mute", json.dumps({"device": "p", "\n2026 ERROR all lost\x1b[31m": 1}).encode()
        )
    plant.drain()
    assert plant.service.counters()["requests_refused.bad_request"] == 100
    assert caplog.text.count("refused: ") == 20
    assert "only counted" in caplog.text
    assert "\n2026 ERROR" not in caplog.text
    assert "\x1b" not in caplog.text
    assert len(plant.publisher.published) == 100


def test_a_signed_request_reaches_the_desk_and_an_unsigned_one_does_not(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANT_SECRET", SECRET)
    plant = Manned(model, control={"secret_env": "PLANT_SECRET"})
    assert "signed" in plant.ask("mute", device="p1")["error"]
    payload = encode_request(
        "mute", {"device": "p1"}, secret=SECRET, transaction="t", client="ada", time_s=NOW, nonce="12345678"
    )
    for _ in range(2):
        plant.source.feed("anomgan/request/mute", payload)
    plant.drain()
    answers = [json.loads(body)["status"] for topic, body in plant.publisher.published if "/response/" in topic]
    assert answers == ["error", "ok", "error"]


def test_control_is_off_unless_configured_and_a_secret_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not ControlConfig().enabled
    with pytest.raises(ConfigError, match="control is off"):
        control_secret(ControlConfig())
    monkeypatch.setenv("SHORT", "short")
    with pytest.raises(ConfigError, match="at least 16 characters, this one has 5"):
        control_secret(ControlConfig(secret_env="SHORT"))  # noqa: S106 a name
    with pytest.raises(ValueError, match="asks for no secret"):
        ControlConfig(authentication="broker", secret_env="SHORT")  # noqa: S106 a name
    assert requests_topic(Plant_config(ControlConfig(authentication="broker"))) == [("anomgan/request/+", 1)]
    assert requests_topic(Plant_config(ControlConfig())) == []


class Plant_config:  # noqa: N801 stands for a configuration
    """A configuration of which only control is asked."""

    def __init__(self, control: ControlConfig) -> None:
        self.control = control


# ---------------------------------------------------------------- crashes


@pytest.mark.parametrize("snapshot_s", [1e-9, 1e9])
def test_after_a_crash_mutes_feedback_and_nonces_are_as_they_were(model: Path, snapshot_s: float) -> None:
    tables: dict[str, Any] = {"journal": {"path": "crash.db", "snapshot_s": snapshot_s}}
    first = Manned(model, **tables)
    event_id = opened(first)
    first.ask("feedback", event=event_id, says="false-alarm", client="ada")
    first.ask("mute", device="p2", for_s=1e6)
    first.journal.close()
    second = Manned(model, **tables)
    second.stores[:] = first.stores
    second.service._stores = second.stores
    second.service.recall()
    assert second.desk.snapshot() == first.desk.snapshot()
    assert second.fleets[0].adaptation.snapshot() == first.fleets[0].adaptation.snapshot()
    assert second.fleets[0].adaptation.lessons(("", "p1")) == {event_id: "false-alarm"}
    assert second.ask("status")["data"]["mutes"][0]["device"] == "p2"
    second.feed(readings_of(faulty_series(), "p1")[48:])
    second.drain()
    assert second.store.events[event_id].state == "false_alarm"
    second.ask("mute", device="p3")
    assert [entry.number for entry in second.store.audit.values()] == [1, 2, 3]


@pytest.mark.parametrize(
    "damaged",
    [b"", b"[]", b"{}", b'{"counters":{"a":"1"},"audited":1}', b'{"counters":{},"audited":1.5}', b'{"counters":[]}'],
)
def test_a_damaged_part_of_a_desk_is_refused_and_changes_nothing(model: Path, damaged: bytes) -> None:
    manned = Manned(model)
    manned.ask("mute", device="p2", for_s=1e6)
    parts = manned.desk.snapshot()
    for bad in (parts | {"desk": damaged}, {name: part for name, part in parts.items() if name != "desk"}):
        with pytest.raises(DataError):
            manned.desk.restore(bad | {"alarms": Desk(manned.config, []).snapshot()["alarms"]})
        assert manned.desk.snapshot() == parts


@pytest.mark.parametrize(
    "gathered", [b"", b"[]", b"7", b'{"counters":{"a":"1"}}', b'[{},[["a"]]]', b'[{"a":1},[[1,2]]]']
)
def test_a_damaged_part_of_a_fleet_that_gathers_is_refused(gathered: bytes) -> None:
    table = FleetConfig(model="models/", topic="plant/{device}/telemetry")
    post = Gathering(table, InputConfig())
    parts = post.snapshot()
    with pytest.raises(DataError, match="gathers"):
        post.restore(parts | {"gathered": gathered})
    assert post.snapshot() == parts
    post.restore({"wire": b"", "gathered": b'[{"readings_gathered":3},[["","a"]]]'})  # as older ones were
    assert post.knows(("", "a"))
    assert post.counters()["readings_gathered"] == 3


# ---------------------------------------------------------------- maintenance

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:1
DTSTART:20231114T000000Z
DTEND:20231116T000000Z
SUMMARY:filter change
LOCATION:{devices}
END:VEVENT
END:VCALENDAR
"""


def write(path: Path, devices: str) -> None:
    """A calendar; its time differs whatever the file system's clock does."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(CALENDAR.format(devices=devices))
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_maintenance_is_read_again_when_it_changes_and_a_broken_file_keeps_the_old(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomgan_detector.desk.LOOK_EVERY_S", 0.0)
    file = tmp_path / "plant.ics"
    write(file, "p1")
    tables: dict[str, Any] = {"alarms": {"maintenance_file": str(file)}, "journal": {"path": "m.db", "snapshot_s": 1e9}}
    plant = Manned(model, **tables)
    event_id = opened(plant)
    muted = plant.store.events[event_id]
    assert (muted.state, muted.note) == ("muted", "maintenance: filter change")
    assert plant.told() == []

    file.write_text("nonsense")
    plant.drain()
    assert "the windows read before stay in force" in caplog.text
    assert plant.service.counters()["maintenance_unreadable"] == 1
    assert plant.desk.alarms.maintenance.during("", "p1", START, START) == "filter change"
    file.unlink()
    plant.drain()
    plant.drain()
    assert plant.service.counters()["maintenance_unreadable"] == 2
    write(file, "p9")
    plant.drain()
    assert plant.told() == ["open"]

    plant.journal.close()
    again = Manned(model, **tables)
    file.unlink()  # what a turn knew stands in the journal
    again.service.recall()
    assert again.desk.alarms.maintenance.content == Maintenance(CALENDAR.format(devices="p9").encode()).content


def test_a_calendar_that_cannot_be_used_is_refused_at_the_start(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "plant.ics"
    plant = Plant(model, alarms={"maintenance_file": str(file)})
    with pytest.raises(ConfigError, match=r"maintenance_file: cannot read .*plant.ics: No such file"):
        check_calendar(plant.config)
    file.write_text("nonsense")
    with pytest.raises(ConfigError, match=r"plant.ics: not a calendar"):
        check_calendar(plant.config)
    file.write_bytes(b" " * 1_000_001)
    with pytest.raises(ConfigError, match=r"alarms.maintenance_file: .*plant.ics: larger than 1 MB"):
        check_calendar(plant.config)
    write(file, "p1")
    assert check_calendar(plant.config) == f"maintenance file {file}: 1 entries"


# ---------------------------------------------------------------- many at once


def rounds(series: TimeSeries, devices: Sequence[str]) -> list[Reading]:
    """A series of each device, row by row."""
    rows = [readings_of(series, device) for device in devices]
    return [reading for row in zip(*rows, strict=True) for reading in row]


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_devices_that_fail_together_are_told_as_one_however_messages_fall_into_turns(model: Path, batch: int) -> None:
    plant = Manned(model, input={"batch": batch})
    plant.feed(rounds(faulty_series(), [f"p{i}" for i in range(8)]))
    plant.drain()
    told = [json.loads(body) for topic, body in plant.publisher.published if topic.endswith("/event")]
    assert {one["device"] for one in told} == {"fleet:pump"}
    assert [one["state"] for one in told][-1] == "closed"
    assert told[-1]["members"] == 8
    assert told[-1]["reason"].startswith("8 of 8 devices at once: ")
    assert set(told[0]["reason"].replace(",", "").split()) & set(CHANNELS)
    members = [event for event in plant.store.events.values() if event.part_of]
    assert len(members) == 8
    assert {event.part_of for event in members} == {told[0]["id"]}
    assert {event.state for event in plant.store.events.values()} == {"closed"}


def test_normal_readings_are_told_nothing(model: Path) -> None:
    plant = Manned(model)
    series = normal_series(40, 3)
    plant.feed(rounds(TimeSeries(series.times + START, series.values, CHANNELS), ["p1", "p2"]))
    plant.drain()
    assert plant.told() == []


def test_feedback_on_a_fleet_wide_event_is_feedback_on_each_of_its_members(model: Path) -> None:
    plant = Manned(model)
    plant.feed(rounds(faulty_series(), [f"p{i}" for i in range(8)]))
    plant.drain()
    (whole,) = [event.id for event in plant.store.events.values() if event.members]
    learned = plant.ask("feedback", event=whole, says="false-alarm")["data"]["learned"]
    assert len(learned) == 8
    assert {event.state for event in plant.store.events.values()} == {"false_alarm"}
    adaptation = plant.fleets[0].adaptation
    assert adaptation.standing()["lessons"] == 8
    plant.feed(rounds(later(faulty_series(), 1000.0), [f"p{i}" for i in range(8)]))
    plant.drain()
    assert len(plant.store.events) == 9
    plant.ask("undo", event=whole)
    assert adaptation.standing()["lessons"] == 0
    assert {event.state for event in plant.store.events.values()} == {"closed"}


def test_days_of_a_calendar_that_could_not_be_read_are_told(model: Path) -> None:
    manned = Manned(model)
    manned.desk.alarms.maintenance.unreadable_days += 2
    assert manned.ask("status")["data"]["maintenance_unreadable_days"] == 2
