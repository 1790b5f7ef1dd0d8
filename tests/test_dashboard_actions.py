"""What a viewer may do from the page, and that no other page can make a browser do it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from test_dashboard_api import TOKEN, Web

from anomgan.errors import Refused, Unreachable
from anomgan_dashboard.app import create_app

OWN = {"Content-Type": "application/json", "X-Anomgan": "action"}
BODY = {"event": "north/p1@1", "says": "false-alarm"}


class Service:
    """What the detector service was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.error: Exception | None = None

    def __call__(self, command: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Answer, or fail."""
        if self.error is not None:
            raise self.error
        self.asked.append((command, dict(fields)))
        return {"says": "false-alarm", "learned": {}}


def page(service: Service | None, token: str = "") -> Web:
    return Web(create_app(Path("none.db"), token=token, ask=service))


def test_feedback_reaches_the_service_and_its_answer_the_page() -> None:
    service = Service()
    web = page(service)
    assert web.get("/api/actions").json() == {"feedback": True, "mute": True}
    answer = web.post("/api/feedback", json=BODY, headers=OWN)
    assert (answer.status_code, answer.json()["says"]) == (200, "false-alarm")
    web.post("/api/feedback", json={**BODY, "says": "undo"}, headers=OWN | {"Origin": "http://127.0.0.1:8050"})
    assert service.asked == [("feedback", BODY), ("undo", {"event": "north/p1@1"})]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "text/plain", "X-Anomgan": "action"},
        OWN | {"Origin": "https://evil.example"},
        OWN | {"Origin": "http://127.0.0.1:9999"},
        OWN | {"Origin": "null"},
    ],
)
def test_a_request_that_another_page_could_have_caused_is_refused(headers: dict[str, str]) -> None:
    service = Service()
    assert page(service).post("/api/feedback", content=orjson.dumps(BODY), headers=headers).status_code == 403
    assert service.asked == []


def test_where_there_is_a_token_it_is_asked_for() -> None:
    service = Service()
    web = page(service, TOKEN)
    assert web.post("/api/feedback", json=BODY, headers=OWN).status_code == 401
    assert service.asked == []
    shown = OWN | {"Authorization": f"Bearer {TOKEN}"}
    assert web.post("/api/feedback", json=BODY, headers=shown).status_code == 200


def test_another_host_name_is_refused_where_there_is_none() -> None:
    service = Service()
    assert page(service).post("/api/feedback", json=BODY, headers=OWN | {"Host": "evil.example"}).status_code == 400
    assert service.asked == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"event": "", "says": "real"}', b'{"event": "e", "says": "no"}']
)
def test_what_is_no_feedback_is_refused(body: bytes) -> None:
    answer = page(Service()).post("/api/feedback", content=body, headers=OWN)
    assert (answer.status_code, "expected" in answer.json()["error"]) == (400, True)


def test_a_long_body_reading_and_control_that_is_off_are_refused() -> None:
    assert page(Service()).post("/api/feedback", content=b" " * 5000, headers=OWN).status_code == 413
    assert page(Service()).get("/api/feedback").status_code == 405
    assert page(None).get("/api/actions").json() == {"feedback": False, "mute": False}
    assert page(None).post("/api/feedback", json=BODY, headers=OWN).status_code == 409


def test_what_the_service_refuses_and_that_it_is_away_reach_the_page() -> None:
    service = Service()
    service.error = Refused("the detector service refuses: no event 'x'")
    answer = page(service).post("/api/feedback", json=BODY, headers=OWN)
    assert (answer.status_code, answer.json()["error"]) == (409, "the detector service refuses: no event 'x'")
    service.error = Unreachable("no answer within 15 s")
    assert page(service).post("/api/feedback", json=BODY, headers=OWN).status_code == 503
