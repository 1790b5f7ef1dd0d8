"""Laws of what the page is told of a device's band, its sensors, and one event with its like."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from alarm_desk import Desk
from store_records import event, issue, verdict
from test_dashboard_actions import OWN, Service, page
from test_dashboard_api import NOW_S, Web

from anomgan.adapters.ports import AuditEntry, Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.alarms.mutes import Mute, literal
from anomgan.alarms.tracked import Mark, Tracked, mark_of
from anomgan_dashboard.app import create_app
from anomgan_dashboard.muted import in_force

BAND = np.array([[1.0, 1.0, -0.5, 0.5], [2.0, 1.0, -0.5, 0.5]])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def client(path: Path, *batches: Batch) -> Web:
    store = SqliteStore(path)
    for batch in batches:
        store.write(batch)
    store.close()
    return Web(create_app(path, clock=lambda: NOW_S))


def device(web: Web, **parameters: Any) -> dict[str, Any]:
    answer = web.get("/api/device", params={"site": "north", "device": "p1", **parameters})
    assert answer.status_code == 200
    return dict(answer.json())


def told_of(web: Web, event_id: str) -> dict[str, Any]:
    answer = web.get("/api/event", params={"id": event_id})
    assert answer.status_code == 200
    return dict(answer.json())


# ---------------------------------------------------------------- band and sensors


def test_a_device_is_told_with_its_band_and_what_lay_outside_of_it(path: Path) -> None:
    rows = [verdict(float(t), values=np.array([9.0 if t == 3 else 1.0, 2.0], np.float32), band=BAND) for t in range(6)]
    flow, pressure = device(client(path, Batch(rows)))["history"]["channels"]
    assert flow["band"] == [{"since_s": 0.0, "centre": 1.0, "spread": 1.0, "low": -0.5, "high": 0.5}]
    assert flow["outside"] == [[3, 9.0]]
    assert pressure["outside"] == []


def test_rows_of_before_bands_were_kept_have_none(path: Path) -> None:
    web = client(path, Batch([verdict(1.0)]))
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM band")
    connection.commit()
    connection.close()
    flow = device(web)["history"]["channels"][0]
    assert (flow["band"], flow["outside"], flow["expected"]) == ([], [], [1.0])


def test_what_was_wrong_with_the_data_is_told_for_the_stretch_it_fell_into(path: Path) -> None:
    over = issue(100.0, state="closed", end_s=110.0)
    now = issue(140.0, channel="", kind="silent", id="silent")
    web = client(path, Batch([verdict(float(t)) for t in range(90, 160)]), Batch(issues=[over, now]))
    within = lambda start, end: [one["id"] for one in device(web, start=start, end=end)["issues"]]  # noqa: E731
    assert within(90, 160) == ["silent", over.id]
    assert within(105, 120) == [over.id]
    assert within(111, 139) == []
    assert within(155, 160) == ["silent"]  # it is open: it goes on beyond the end it was told with
    assert device(web, start=90, end=160)["issues"][1]["open"] is False


# ---------------------------------------------------------------- one event


def test_an_event_is_told_with_its_order_and_past_ones_like_it(path: Path) -> None:
    now = event("now", 500.0, 520.0, onsets=(("flow", 498.0), ("pressure", 503.5)))
    twin = event("twin", 100.0, 120.0, state="false_alarm", note="false alarm, says ada")
    elsewhere = event("elsewhere", 90.0, 95.0, device="p2")
    stranger = event("stranger", 80.0, 85.0, device="p3", model="fan")
    unlike = event("unlike", 70.0, 75.0, observed=(0.0, 9.0))
    later = event("later", 600.0, 620.0)
    web = client(path, Batch([], [now, twin, elsewhere, stranger, unlike, later]))
    told = told_of(web, "now")
    assert told["event"]["onsets"] == [{"name": "flow", "time_s": 498.0}, {"name": "pressure", "time_s": 503.5}]
    assert [(one["id"], one["likeness"], one["said"]) for one in told["similar"]] == [
        ("twin", 1.0, "false-alarm"),
        ("elsewhere", 1.0, ""),
    ]
    assert web.get("/api/event?id=nothing").status_code == 404


def test_a_fleet_wide_event_is_told_with_its_parts(path: Path) -> None:
    whole = event("fleet:pump@1", device="fleet:pump", members=2)
    web = client(path, Batch([], [whole, event("e1", part_of=whole.id), event("e2", part_of=whole.id), event("e3")]))
    assert sorted(one["id"] for one in told_of(web, whole.id)["parts"]) == ["e1", "e2"]
    assert told_of(web, "e1")["parts"] == []


def test_what_people_have_said_of_it_is_told(path: Path) -> None:
    said = [
        AuditEntry(10.0, 1, "ada", "feedback", "e1", '{"says": "real"}'),
        AuditEntry(20.0, 2, "bob", "undo", "e1", '{"says": null}'),
        AuditEntry(30.0, 3, "bob", "feedback", "e2", '{"says": "real"}'),
    ]
    told = told_of(client(path, Batch([], [event()], audit=said)), "e1")["said"]
    assert told == [
        {"time_s": 20.0, "client": "bob", "says": None},
        {"time_s": 10.0, "client": "ada", "says": "real"},
    ]


@pytest.mark.parametrize("mark", ["", "false-alarm", "real", "maintenance"])
@pytest.mark.parametrize("client_name", ["", "ada", "a; confirmed, says b"])
@pytest.mark.parametrize("muted", ["", "maintenance: filter change", "muted until then"])
@pytest.mark.parametrize("note", ["", "forgotten: not heard for long"])
def test_what_was_said_is_read_from_how_an_event_is_shown(mark: Mark, client_name: str, muted: str, note: str) -> None:
    tracked = Tracked(
        event(note=note, state="closed"), "pumps", mark=mark, client=client_name if mark else "", muted=muted
    )
    hidden = mark == "real" and muted  # a mute is shown in its place
    assert mark_of(tracked.shown()) == ("" if hidden else mark)


# ---------------------------------------------------------------- mutes


def muting(time_s: float, number: int, command: str, subject: str, **effect: Any) -> AuditEntry:
    return AuditEntry(time_s, number, "ada", command, subject, orjson.dumps(effect).decode())


def mute_entry(
    time_s: float, device: str, until_s: float, channels: tuple[str, ...] = (), site: str = "*"
) -> AuditEntry:
    effect = {"device": device, "site": site, "channels": channels, "until_s": until_s, "until": "", "events": []}
    return muting(time_s, 1, "mute", f"{site}/{device}", **effect)


def test_the_record_says_which_mutes_are_in_force_as_the_service_has_them() -> None:
    """A twin: the same requests made of the real alarms."""
    desk = Desk()
    until = desk.now_s + 1000.0
    record = []
    for device_name, channels in (("pump-1", ()), ("pump-*", ("flow",)), ("pump-1", ("speed",))):
        desk.alarms.mute(Mute(device_name, "*", channels, until), {}, desk.now_s)
        record.append(mute_entry(desk.now_s + len(record), device_name, until, channels))
    desk.alarms.unmute("*", "pump-1", ("speed",), {}, desk.now_s)
    record.append(
        muting(desk.now_s + 5, 1, "unmute", "*/pump-1", ended=1, device="pump-1", site="*", channels=["speed"])
    )
    latest_first = record[::-1]
    assert in_force(latest_first, desk.now_s + 10) == desk.alarms.mutes
    assert in_force(latest_first, until) == ()
    whole = muting(desk.now_s + 6, 1, "mute", "*/pump-1", ended=1, events=[])  # as an older service wrote it
    assert in_force([whole, *latest_first], desk.now_s + 10) == (Mute("pump-*", "*", ("flow",), until),)


def test_a_device_is_told_with_the_mutes_that_concern_it(path: Path) -> None:
    own = mute_entry(NOW_S - 10, literal("p1"), NOW_S + 50, site="north")
    pattern = mute_entry(NOW_S - 9, "p*", NOW_S + 90, ("flow",))
    other = mute_entry(NOW_S - 8, "q*", NOW_S + 90)
    web = client(path, Batch([verdict(1.0)], [event()], audit=[own, pattern, other]))
    told = [(one["device"], one["channels"], one["own"]) for one in device(web)["mutes"]]
    assert told == [("p*", ["flow"], False), ("p1", [], True)]
    assert told_of(web, "e1")["mutes"] == device(web)["mutes"]


@pytest.mark.parametrize("name", ["pump-1", "p*", "p?", "[p]", "p[1]*?", "]"])
def test_a_literal_pattern_fits_this_name_alone(name: str) -> None:
    mute = Mute(literal(name), literal(""), (), 1.0)
    assert mute.concerns("", name)
    assert not any(mute.concerns("", other) for other in ("pump-2", "px", "p1", "q", "pp") if other != name)
    assert not mute.concerns("north", name)


def test_a_mute_reaches_the_service_and_means_this_device_alone() -> None:
    service = Service()
    body = {"site": "north", "device": "p*", "channels": ["flow"], "for_s": 3600.0}
    assert page(service).post("/api/mute", json=body, headers=OWN).status_code == 200
    assert service.asked == [("mute", {**body, "device": "p[*]"})]
    assert page(service).post("/api/mute", json={**body, "for_s": 0}, headers=OWN).status_code == 200
    assert service.asked[1][1]["for_s"] == 0


@pytest.mark.parametrize(
    "wrong",
    [{"for_s": -1}, {"for_s": 1e12}, {"device": ""}, {"channels": "flow"}, {"more": 1}, {"for_s": "1"}, {"site": None}],
)
def test_what_is_no_mute_is_refused(wrong: dict[str, Any]) -> None:
    service = Service()
    body = {"site": "north", "device": "p1", "channels": [], "for_s": 60.0, **wrong}
    answer = page(service).post("/api/mute", json=body, headers=OWN)
    assert (answer.status_code, "expected" in answer.json()["error"]) == (400, True)
    assert page(service).post("/api/mute", json=body, headers={"Content-Type": "application/json"}).status_code == 403
    assert service.asked == []


def test_a_page_of_an_event_is_served_at_its_address(path: Path) -> None:
    web = client(path, Batch([], [replace(event(), id="north/p1@1")]))
    assert web.get("/event?id=north/p1@1").status_code == 200
