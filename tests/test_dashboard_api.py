"""Laws of the dashboard's API and its gates, without a socket."""

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.errors import ConfigError, ServerError
from anomgan.records import Event, Verdict
from anomgan_dashboard.app import PAGES, create_app
from anomgan_dashboard.security import HEADERS
from anomgan_dashboard.serve import is_loopback, listen, require_token, url_of

TOKEN = "correct horse battery staple"  # noqa: S105 made up
QUESTIONS = ("summary", "fleet", "device?device=p1&site=north", "events", "event?id=e1")
NOW_S = 2_000_000_000.0


def verdict(time_s: float, surprise: float = 1.0, device: str = "p1") -> Verdict:
    two = np.array([time_s, 2.5], dtype=np.float32)
    channels = ("flow", "pressure")
    return Verdict(
        device,
        "north",
        time_s,
        surprise,
        3.0,
        surprise >= 3,
        1.0,
        1.0,
        1.0,
        channels,
        two,
        two + 1,
        two * 0 + 0.5,
        "pump",
    )


def event(state: Any = "closed") -> Event:
    return Event(
        "e1",
        "p1",
        "north",
        state,
        100.0,
        120.0,
        5.0,
        110.0,
        "major",
        ("flow",),
        (1.0,),
        (2.0,),
        (math.nan,),
        "reason",
        3.0,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def filled(path: Path) -> Path:
    store = SqliteStore(path)
    store.write(
        Batch([verdict(float(t), math.nan if t < 10 else 1.0) for t in range(200)], [event()], {"received": 200})
    )
    store.write(Batch([verdict(float(t), device="p2") for t in range(100)]))
    store.close()
    return path


class Web:
    """A browser without a network: it talks to the application itself and keeps cookies."""

    def __init__(self, app: Starlette) -> None:
        self.transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.cookies = httpx.Cookies()

    def request(self, method: str, address: str, **options: Any) -> httpx.Response:
        """One answer, redirects as they come."""

        async def ask() -> httpx.Response:
            base = "http://127.0.0.1:8050"
            async with httpx.AsyncClient(transport=self.transport, base_url=base, cookies=self.cookies) as browser:
                answer = await browser.request(method, address, **options)
                self.cookies = browser.cookies
                return answer

        return asyncio.run(ask())

    def get(self, address: str, **options: Any) -> httpx.Response:
        """Ask."""
        return self.request("GET", address, **options)

    def post(self, address: str, **options: Any) -> httpx.Response:
        """Send."""
        return self.request("POST", address, **options)


def client(path: Path, **options: Any) -> Web:
    return Web(create_app(path, clock=lambda: NOW_S, **options))


def test_the_page_is_served_before_the_store_exists(path: Path) -> None:
    web = client(path)
    assert web.get("/").status_code == 200
    assert web.get("/healthz").json() == {"status": "ok"}
    fleet = web.get("/api/fleet").json()
    assert (fleet["devices"], fleet["store"], fleet["newest_s"]) == ([], "", None)
    assert web.get("/api/events").json()["events"] == []
    answer = web.get("/api/device?device=p1")
    assert answer.status_code == 503
    assert "no such file" in answer.json()["error"]
    assert not path.exists()


def test_the_fleet_tells_every_device_then_only_changes(filled: Path) -> None:
    web = client(filled)
    fleet = web.get("/api/fleet").json()
    assert fleet["whole"]
    assert fleet["newest_s"] == 199.0
    assert [(d["device"], d["state"]) for d in fleet["devices"]] == [("p1", "normal"), ("p2", "silent")]
    assert fleet["devices"][0]["trail"][-1] == 1.0
    known = {"since": fleet["revision"], "store": fleet["store"]}
    store = SqliteStore(filled)
    store.write(Batch([verdict(200.0)], [event("open")]))
    store.close()
    changed = web.get("/api/fleet", params=known).json()
    assert not changed["whole"]
    assert [d["device"] for d in changed["devices"]] == ["p1", "p2"]  # p2 is silent, which needs no write
    another = web.get("/api/fleet", params={**known, "store": "another file"}).json()
    assert another["whole"]


def test_a_device_is_told_over_the_last_seconds_of_the_stores_own_time(filled: Path) -> None:
    told = client(filled).get("/api/device?site=north&device=p2&last=150").json()
    assert (told["start"], told["end"]) == (49.0, 199.0)
    assert told["history"]["times"] == [float(t) for t in range(49, 100)]
    channel = told["history"]["channels"][0]
    assert channel["name"] == "flow"
    assert channel["observed"][0] == 49.0
    assert channel["expected"][0] == 50.0


def test_unknown_surprises_are_null(filled: Path) -> None:
    told = client(filled).get("/api/device?site=north&device=p1&start=0&end=20").json()
    assert told["history"]["surprise"] == [None] * 10 + [1.0] * 11
    assert told["recent"][0]["channels"] == [
        {"name": "flow", "unit": "", "observed": 1.0, "expected": 2.0, "contribution": None}
    ]


def test_events_of_the_stretch_are_told_with_it(filled: Path) -> None:
    web = client(filled)
    assert [e["id"] for e in web.get("/api/device?site=north&device=p1&start=119&end=130").json()["events"]] == ["e1"]
    assert web.get("/api/device?site=north&device=p1&start=121&end=130").json()["events"] == []


def test_an_unchanged_device_is_not_told_again(filled: Path) -> None:
    web = client(filled)
    first = web.get("/api/device?site=north&device=p1").json()
    known = {"site": "north", "device": "p1", "since": first["device"]["revision"], "store": first["store"]}
    assert first["changed"]
    assert not web.get("/api/device", params=known).json()["changed"]
    store = SqliteStore(filled)
    store.write(Batch([verdict(300.0)]))
    store.close()
    assert web.get("/api/device", params=known).json()["changed"]


def test_pages_of_events_join_without_a_seam(path: Path) -> None:
    store = SqliteStore(path)
    told = [replace(event(), id=f"e{i:03}", start_s=float(i // 3), end_s=float(i)) for i in range(25)]
    store.write(Batch(events=told))
    store.close()
    web = client(path)
    answer = web.get("/api/events?limit=10").json()
    ids = [e["id"] for e in answer["events"]]
    while answer["more"]:
        answer = web.get("/api/events", params={"limit": 10, "before": ids[-1]}).json()
        ids += [e["id"] for e in answer["events"]]
    assert ids == sorted((e.id for e in told), reverse=True)


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("fleet?since=abc", "since"),
        ("fleet?sinc=1", "sinc"),
        ("device", "device"),
        ("device?device=", "device"),
        ("device?device=p1&points=1", "points"),
        ("device?device=p1&points=100000", "points"),
        ("device?device=p1&last=-5", "last"),
        ("device?device=p1&last=nan", "last"),
        ("device?device=p1&start=inf", "start"),
        ("device?device=p1&start=9&end=3", "start"),
        ("events?state=burning", "state"),
        ("events?limit=0", "limit"),
        ("events?limit=1e9", "limit"),
        ("event", "id"),
        ("summary?x=1", "x"),
    ],
)
def test_a_wrong_parameter_is_named(filled: Path, question: str, named: str) -> None:
    answer = client(filled).get(f"/api/{question}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{named}: ")


@pytest.mark.parametrize("question", ["device?device=nobody", "event?id=none", "nothing", "../secrets"])
def test_what_is_not_there_is_404_in_json(filled: Path, question: str) -> None:
    answer = client(filled).get(f"/api/{question}")
    assert answer.status_code == 404
    assert answer.json()["error"]


def test_nothing_can_be_written_through_the_api(filled: Path) -> None:
    web = client(filled)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert web.request(method, "/api/fleet").status_code == 405


def test_a_damaged_store_is_told_without_a_traceback(path: Path) -> None:
    path.write_text("not a database" * 1000)
    answer = client(path).get("/api/fleet")
    assert answer.status_code == 503
    assert "not an SQLite file" in answer.json()["error"]
    assert "Traceback" not in answer.text


def test_a_bug_is_told_without_a_traceback(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomgan_dashboard.answers.device_json", lambda state: 1 / 0)
    answer = client(filled).get("/api/fleet")
    assert answer.status_code == 500
    assert "division" not in answer.text
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("address", [*PAGES, "/static/app.js", "/static/uplot.js", "/api/fleet", "/api/x", "/healthz"])
def test_every_answer_carries_the_security_headers(filled: Path, address: str) -> None:
    answer = client(filled).get(address)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "'unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8050", ""])
def test_a_foreign_host_name_is_turned_away(filled: Path, host: str) -> None:
    answer = client(filled).get("/api/fleet", headers={"Host": host})
    assert answer.status_code == 400
    assert "p1" not in answer.text


@pytest.mark.parametrize("host", ["localhost:8050", "127.0.0.1", "[::1]:8050"])
def test_a_loopback_host_name_is_let_in(filled: Path, host: str) -> None:
    assert client(filled).get("/api/fleet", headers={"Host": host}).status_code == 200


def test_assets_are_kept_by_the_browser_and_sent_small(path: Path) -> None:
    web = client(path)
    first = web.get("/static/uplot.js")
    assert first.headers["content-encoding"] == "gzip"
    assert int(first.headers["content-length"]) < 60_000
    assert web.get("/static/uplot.js", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    plain = web.get("/static/uplot.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == first.content
    assert web.get("/static/../app.py").status_code == 404


# ---------------------------------------------------------------- the token


@pytest.mark.parametrize("question", QUESTIONS)
def test_with_a_token_no_question_is_answered_without_it(filled: Path, question: str) -> None:
    web = client(filled, token=TOKEN)
    assert web.get(f"/api/{question}").status_code == 401
    assert web.get(f"/api/{question}", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert web.get(f"/api/{question}", headers={"Cookie": f"anomgan_session={TOKEN}"}).status_code == 401
    assert web.get(f"/api/{question}", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_logging_in_leads_back_to_the_page_asked_for(filled: Path) -> None:
    web = client(filled, token=TOKEN)
    asked = web.get("/device?device=p%201&site=north")
    assert asked.status_code == 303
    login = asked.headers["location"]
    wrong = web.post(login, data={"token": "guess"})
    assert (wrong.status_code, "failed=1" in wrong.headers["location"]) == (303, True)
    assert not wrong.cookies
    right = web.post(login, data={"token": TOKEN})
    assert right.headers["location"] == "/device?device=p%201&site=north"
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie
    assert web.get("/api/fleet").status_code == 200


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "evil"])
def test_a_login_never_leads_to_another_host(filled: Path, elsewhere: str) -> None:
    web = client(filled, token=TOKEN)
    answer = web.post("/login", params={"next": elsewhere}, data={"token": TOKEN})
    assert answer.headers["location"] == "/"


def test_a_flood_of_login_is_cut_off(filled: Path) -> None:
    assert client(filled, token=TOKEN).post("/login", content=b"token=" + b"x" * 100_000).status_code == 413


@pytest.mark.parametrize(
    ("host", "token", "fine"),
    [
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("localhost", "", True),
        ("0.0.0.0", "", False),  # noqa: S104 the case that matters
        ("192.168.1.5", "", False),
        ("plant.example", "", False),
        ("0.0.0.0", "short", False),  # noqa: S104 the case that matters
        ("127.0.0.1", "short", False),
        ("0.0.0.0", TOKEN, True),  # noqa: S104 the case that matters
    ],
)
def test_a_page_that_others_can_reach_wants_a_good_token(host: str, token: str, fine: bool) -> None:
    assert is_loopback(host) == (host in ("127.0.0.1", "::1", "localhost"))
    if fine:
        require_token(host, token)
    else:
        with pytest.raises(ConfigError, match="ANOMGAN_DASHBOARD_TOKEN"):
            require_token(host, token)


def test_a_taken_port_is_told() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert url_of(taken) == f"http://127.0.0.1:{port}"
        with pytest.raises(ServerError, match=rf"127\.0\.0\.1:{port}: .*in use"):
            listen("127.0.0.1", port)
    with pytest.raises(ServerError, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 0)


def test_a_fleet_wide_event_is_in_the_log_and_its_name_can_be_asked_for(path: Path) -> None:
    store = SqliteStore(path)
    whole = replace(event("open"), id="fleet:pump@1", device="fleet:pump", members=7, reason="7 of 9 devices at once")
    store.write(Batch([verdict(100.0)], [whole, replace(event("muted"), note="muted until then", part_of=whole.id)]))
    store.close()
    web = client(path)
    told = {one["id"]: one for one in web.get("/api/events").json()["events"]}
    assert (told["fleet:pump@1"]["members"], told["e1"]["part_of"], told["e1"]["note"]) == (
        7,
        "fleet:pump@1",
        "muted until then",
    )
    assert [one["id"] for one in web.get("/api/events?state=muted").json()["events"]] == ["e1"]
    assert web.get("/api/events?state=false_alarm").json()["events"] == []
    assert web.get("/api/device?device=fleet:pump&site=north").status_code == 200
    assert [one["device"] for one in web.get("/api/fleet").json()["devices"]] == ["p1"]
