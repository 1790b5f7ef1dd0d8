"""Truth beside finding: which event belongs to a simulated fault, and who may change what is true."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from store_records import event, issue, verdict
from test_dashboard_actions import OWN
from test_dashboard_api import TOKEN, Web

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.errors import Refused, Unreachable
from anomgan_dashboard.app import create_app

FAULT = {
    "number": 7, "site": "north", "device": "p1", "kind": "bias", "channels": ["flow"],
    "start_s": 1000.0, "end_s": 1100.0,
}  # fmt: skip
WISH = {"device": "p1", "kind": "bias", "channels": ["flow"], "lasts_s": 60}


class Simulator:
    """What the simulator was asked, and the faults that it tells."""

    def __init__(self, *faults: dict[str, Any]) -> None:
        self.faults = faults
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.error: Exception | None = None

    def __call__(self, command: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Answer, or fail."""
        if self.error is not None:
            raise self.error
        self.asked.append((command, dict(fields)))
        return {"run": "1", "faults": list(self.faults)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def told(path: Path, *faults: dict[str, Any]) -> list[dict[str, Any]]:
    """The faults as the page hears of them."""
    web = Web(create_app(path, simulator=Simulator(*faults)))
    answer = web.get("/api/simulator")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["faults"]
    return found


def write(path: Path, batch: Batch) -> None:
    with closing(SqliteStore(path)) as store:
        store.write(Batch([verdict(1000.0), verdict(1000.0, device="p2")]))
        store.write(batch)


@pytest.mark.parametrize(
    ("start_s", "end_s", "found"),
    [
        (1042.0, 1060.0, {"delay_s": 42.0, "before": False}),
        (900.0, 1000.0, {"delay_s": 0.0, "before": True}),
        (1215.0, 1300.0, {"delay_s": 215.0, "before": False}),
        (1225.0, 1300.0, None),
        (900.0, 990.0, None),
    ],
)
def test_the_first_event_on_a_fault_is_its_finding(
    path: Path, start_s: float, end_s: float, found: dict[str, Any] | None
) -> None:
    later = event("e2", 1090.0, 1095.0, state="closed")
    write(path, Batch(events=[event("e1", start_s, end_s, state="closed"), *([later] if found else [])]))
    (one,) = told(path, FAULT)
    if found is None:
        assert one["event"] is None
    elif start_s > 1100:
        assert one["event"]["id"] == "e2"
    else:
        assert {"id": "e1", **found}.items() <= one["event"].items()


def test_what_begins_after_a_fault_and_in_the_next_is_of_the_next(path: Path) -> None:
    later = FAULT | {"number": 8, "kind": "stuck", "start_s": 1110.0, "end_s": 1200.0}
    write(path, Batch(events=[event("e1", 1120.0, 1130.0)]))
    assert [one["event"] and one["event"]["delay_s"] for one in told(path, FAULT, later)] == [None, 10.0]
    assert told(path, FAULT)[0]["event"]["id"] == "e1"


def test_an_event_of_another_device_or_site_is_none(path: Path) -> None:
    write(path, Batch(events=[event("e1", 1042.0, 1060.0, device="p2")]))
    assert [one["event"] for one in told(path, FAULT, FAULT | {"site": "south"})] == [None, None]


def test_what_data_quality_says_of_the_channel_stands_there_too(path: Path) -> None:
    write(path, Batch(issues=[issue(1020.0), issue(1005.0, id="other", channel="pressure")]))
    (one,) = told(path, FAULT)
    assert (one["issue"]["channel"], one["issue"]["start_s"]) == ("flow", 1020.0)


@pytest.mark.parametrize(
    ("start_s", "end_s", "is_of_it"),
    [(995.0, 1040.0, True), (1215.0, 1230.0, True), (900.0, 990.0, False), (1225.0, 1230.0, False)],
)
def test_what_data_quality_says_is_of_a_fault_by_the_rules_for_events(
    path: Path, start_s: float, end_s: float, is_of_it: bool
) -> None:
    """A value that stood still before it became stuck is told from then on."""
    write(path, Batch(issues=[issue(start_s, end_s=end_s, state="closed")]))
    (one,) = told(path, FAULT)
    assert (one["issue"] is not None) == is_of_it


def test_however_much_a_device_has_been_ill_since_the_first_issue_on_a_fault_is_told(path: Path) -> None:
    later = [issue(2000.0 + n, state="closed") for n in range(100)]
    write(path, Batch(issues=[issue(1020.0, state="closed"), *later]))
    assert [one["issue"]["start_s"] for one in told(path, FAULT)] == [1020.0]


def test_without_a_store_the_truth_is_told_alone(path: Path) -> None:
    (one,) = told(path, FAULT)
    assert (one["event"], one["issue"], one["number"]) == (None, None, 7)
    assert not path.exists()


def test_a_click_is_handed_on_and_a_refusal_handed_back(path: Path) -> None:
    simulator = Simulator()
    web = Web(create_app(path, simulator=simulator))
    assert web.post("/api/simulator/inject", json=WISH, headers=OWN).status_code == 200
    assert web.post("/api/simulator/stop", json={"fault": 7}, headers=OWN).status_code == 200
    assert simulator.asked == [("inject", WISH), ("stop", {"fault": 7})]
    for error, status in ((Refused("no such fault"), 409), (Unreachable("it does not answer"), 503)):
        simulator.error = error
        answer = web.post("/api/simulator/inject", json=WISH, headers=OWN)
        assert (answer.status_code, answer.json()) == (status, {"error": str(error)})
        assert web.get("/api/simulator").status_code == status


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"{}", b'{"device": "p1"}', orjson.dumps(WISH | {"lasts_s": -1}), b"\xff", b"1" * 5000],
)
def test_anything_else_is_refused_before_the_simulator_hears_of_it(path: Path, body: bytes) -> None:
    simulator = Simulator()
    web = Web(create_app(path, simulator=simulator))
    for address in ("inject", "stop"):
        assert web.post(f"/api/simulator/{address}", content=body, headers=OWN).status_code in (400, 413)
    assert simulator.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "text/plain", "X-Anomgan": "action"},
        OWN | {"Origin": "https://evil.example"},
        OWN | {"Origin": "null"},
    ],
)
def test_a_request_that_another_page_could_have_caused_is_refused(path: Path, headers: dict[str, str]) -> None:
    simulator = Simulator()
    web = Web(create_app(path, simulator=simulator))
    for address in ("inject", "stop"):
        answer = web.post(f"/api/simulator/{address}", content=orjson.dumps(WISH), headers=headers)
        assert answer.status_code == 403
    assert web.get("/api/simulator/inject").status_code == 405
    assert simulator.asked == []


def test_a_token_guards_the_simulator_too(path: Path) -> None:
    simulator = Simulator()
    web = Web(create_app(path, token=TOKEN, simulator=simulator))
    assert web.get("/api/simulator").status_code == 401
    assert web.post("/api/simulator/inject", json=WISH, headers=OWN).status_code == 401
    assert simulator.asked == []
    assert web.get("/api/simulator", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_page_has_the_link_only_where_there_is_a_simulator(path: Path) -> None:
    with_one, without = Web(create_app(path, simulator=Simulator())), Web(create_app(path))
    assert b'data-view="simulator" hidden' in without.get("/").content
    assert b'data-view="simulator">' in with_one.get("/").content
    assert (with_one.get("/simulator").status_code, without.get("/simulator").status_code) == (200, 404)
    assert without.get("/api/simulator").status_code == 404
