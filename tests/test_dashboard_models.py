"""Laws of the questions about models: all from the store, nothing that was not stored."""

import json
from pathlib import Path
from typing import Any

import pytest
from store_records import event, verdict
from test_dashboard_api import TOKEN, Web, client

from anomgan.adapters.ports import Batch, Sheet
from anomgan.adapters.sqlite import SqliteStore
from anomgan.detector import Detector
from anomgan.rates import poisson_interval
from anomgan.sheet import model_sheet

WEEK_S = 604_800.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def sheets(detector: Detector) -> list[Sheet]:
    """A model that judges, one in its shadow, and a fleet that gathers."""
    content = model_sheet(detector.parts, 1000)
    fleet = {
        "topic": "plant/{device}/telemetry", "broker": "", "site": "", "devices": ["*"], "dialect": "flat",
        "learns": False, "heard": 1,
    }  # fmt: skip
    judging = {**fleet, "champion": "pump", "challenger": "pump-2", "alarms_per_week": 5.0, "threshold": 3.5}
    gathering = {**fleet, "champion": None, "challenger": None, "learns": True, "gathered": {"rows": 7}}
    return [
        Sheet("model", "pump", "d" * 64, {**content, "name": "pump"}),
        Sheet("model", "pump-2", "e" * 64, {**content, "name": "pump-2"}),
        Sheet("fleet", "f1", "", judging),
        Sheet("fleet", "f2", "", gathering),
    ]


@pytest.fixture
def web(path: Path, sheets: list[Sheet]) -> Web:
    store = SqliteStore(path)
    store.write(Batch([verdict(float(t), 0.1 * (t % 50)) for t in range(1000)], sheets=sheets, now_s=3.0))
    told = [event("e1", 100.0, 110.0), event("e2", 200.0, 210.0, state="false_alarm"), event("e3", 300.0, 310.0)]
    store.write(Batch(events=[*told, event("e4", 400.0, 410.0, state="muted")]))
    store.close()
    return client(path)


def test_before_the_store_exists_there_is_no_model(path: Path) -> None:
    web = client(path)
    answer = web.get("/api/models").json()
    assert (answer["fleets"], answer["models"]) == ([], [])
    assert web.get("/api/model?name=pump").status_code == 503
    assert web.get("/models?model=pump").status_code == 200
    assert not path.exists()


def test_a_store_that_knows_of_no_model_says_so(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0)]))
    store.close()
    answer = client(path).get("/api/models").json()
    assert (answer["fleets"], answer["models"], answer["newest_s"]) == ([], [], 1.0)


def test_every_model_has_its_role_and_every_fleet_its_models(web: Web) -> None:
    answer = web.get("/api/models").json()
    assert [(one["name"], one["role"]) for one in answer["models"]] == [("pump", "champion"), ("pump-2", "challenger")]
    assert [one["champion"] for one in answer["fleets"]] == ["pump", None]
    assert answer["models"][0]["channel_count"] == 3
    assert "course" not in answer["models"][0]  # the list stays short


def test_the_budget_is_the_fleets_and_what_is_measured_has_its_interval(web: Web, detector: Detector) -> None:
    alarms = web.get("/api/model?name=pump").json()["alarms"]
    weeks = 1000 * detector.period_s * detector.rule.stride / WEEK_S
    low, high = poisson_interval(3)
    assert (alarms["promised"], alarms["events"], alarms["muted"], alarms["false_alarms"]) == (5.0, 3, 1, 1)
    assert alarms["weeks"] == pytest.approx(weeks)
    assert [alarms[name] for name in ("rate", "low", "high")] == pytest.approx([3 / weeks, low / weeks, high / weeks])
    assert (alarms["first_s"], alarms["last_s"]) == (0.0, 999.0)
    shadow = web.get("/api/model?name=pump-2").json()["alarms"]
    assert (shadow["rate"], shadow["events"], shadow["promised"]) == (None, 0, 1.0)


def test_what_was_judged_is_held_against_its_promise_as_far_as_one_window_is_promised(web: Web) -> None:
    lived = web.get("/api/model?name=pump").json()["lived"]
    assert lived["surprise"] == [0.5 + 0.25 * i for i in range(11)]  # to 3: one in a thousand
    for surprise, share in zip(lived["surprise"], lived["measured"], strict=True):
        assert share == pytest.approx(sum(0.1 * (t % 50) >= surprise for t in range(1000)) / 1000)
    assert web.get("/api/model?name=pump-2").json()["lived"] is None


def test_a_model_is_told_whole(web: Web, sheets: list[Sheet]) -> None:
    model = web.get("/api/model?name=pump").json()["model"]
    told: Any = json.loads(json.dumps(sheets[0].content))
    assert model.items() >= told.items()
    assert (model["digest"], model["role"]) == ("d" * 12, "champion")


def test_a_model_that_nobody_uses_any_more_is_retired(path: Path, web: Web, sheets: list[Sheet]) -> None:
    store = SqliteStore(path)
    store.write(Batch(sheets=[sheets[0], sheets[3]]))
    store.close()
    roles = {one["name"]: one["role"] for one in web.get("/api/models").json()["models"]}
    assert roles == {"pump": "retired", "pump-2": "retired"}


@pytest.mark.parametrize(
    ("question", "status"), [("model", 400), ("model?name=", 400), ("model?name=x", 404), ("models?x=1", 400)]
)
def test_a_wrong_question_is_told(web: Web, question: str, status: int) -> None:
    answer = web.get(f"/api/{question}")
    assert answer.status_code == status
    assert answer.json()["error"]


def test_models_ask_for_the_token_too(path: Path, web: Web) -> None:
    guarded = client(path, token=TOKEN)
    for question in ("models", "model?name=pump"):
        assert guarded.get(f"/api/{question}").status_code == 401
        assert guarded.get(f"/api/{question}", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
