"""Which messages the detector service reads, and for which fleet; what cannot be read is counted and acknowledged."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from detector_plant import START, Plant, folder, model
from examples import CHANNELS

from anomgan.detector import Detector
from anomgan.errors import ConfigError, ModelFileError
from anomgan.records import Reading

__all__ = ["folder", "model"]  # fixtures
TOPIC = "plant/p1/telemetry"
GOOD = json.dumps({"ts": START, "flow": 1.0}).encode()


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (TOPIC, b""),
        (TOPIC, b"{"),
        (TOPIC, b"\xff\xfe\x00"),
        (TOPIC, b"[1, 2]"),
        (TOPIC, b"3.5"),
        (TOPIC, b'{"ts": "yesterday", "flow": 1}'),
        (TOPIC, b'{"ts": 0, "flow": 1}'),
        (TOPIC, b'{"ts": 4102444800, "flow": 1}'),
        (TOPIC, b'{"ts": 1700000000000, "flow": 1}'),
        (TOPIC, b'{"ts": 1700000000, "flow": "' + b"x" * 10_000_000 + b'"}'),
        (TOPIC, b'{"ts": 1700000000, "stranger": 1}'),
        (TOPIC, b'{"ts": 1700000000}'),
        (TOPIC, b'{"ts": null, "flow": null}'),
        ("plant/p\x001/telemetry", GOOD),
        ("plant//telemetry", GOOD),
        ("elsewhere/p1", GOOD),
        (TOPIC + "/more", GOOD),
    ],
    ids=lambda part: str(part[:24]),
)
def test_a_bad_message_is_counted_acknowledged_and_does_not_stop_the_good_ones(
    model: Path, topic: str, payload: bytes
) -> None:
    plant = Plant(model)
    plant.source.feed(TOPIC, GOOD)
    plant.source.feed(topic, payload)
    plant.feed([Reading("p2", START + i, dict.fromkeys(CHANNELS, 1.0)) for i in range(20)])
    plant.drain()
    counters = plant.service.counters()
    assert len(plant.source.acknowledged) == 22
    assert plant.source.unacknowledged == []
    dropped = sum(n for name, n in counters.items() if name.startswith(("dropped.", "ignored_values.")))
    assert dropped + counters.get("missing_values", 0) - 2 >= 1
    assert any(device == "p2" for _, device, _ in plant.store.verdicts)
    received = counters["messages_received"]
    unread = sum(n for name, n in counters.items() if name.startswith("dropped."))
    assert received == counters["readings_admitted"] + unread


def test_the_first_few_bad_messages_of_a_kind_are_shown_and_the_rest_counted(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plant = Plant(model)
    for _ in range(50):
        plant.source.feed(TOPIC, b"{")
    with caplog.at_level(logging.WARNING):
        plant.drain()
    assert plant.service.counters()["dropped.broken_json"] == 50
    assert 2 <= caplog.text.count("broken_json") <= 10
    assert TOPIC in caplog.text
    assert "only counted" in caplog.text


def test_retained_messages_are_old_news_unless_wanted(model: Path) -> None:
    for ignore in (True, False):
        plant = Plant(model, input={"ignore_retained": ignore})
        plant.source.feed(TOPIC, GOOD, retained=True)
        plant.drain()
        counters = plant.service.counters()
        assert (counters.get("dropped.retained", 0), counters.get("readings_admitted", 0)) == (int(ignore), 1 - ignore)
        assert len(plant.source.acknowledged) == 1


def test_a_message_without_a_time_is_stamped_on_arrival(model: Path) -> None:
    plant = Plant(model)
    for _ in range(2):
        plant.source.feed(TOPIC, b'{"flow": 1.0}')
    plant.drain()
    assert plant.service.counters()["readings_admitted"] == 2  # one after the other, though in one turn


def test_messages_go_to_the_first_fleet_whose_topic_and_devices_fit(model: Path) -> None:
    fleets: list[dict[str, Any]] = [
        {"devices": ["pump-*"]},
        {"devices": ["fan-?", "pump-1"]},
        {"topic": "other/{site}/{device}", "devices": ["*"]},
    ]
    plant = Plant(model, fleets=fleets)
    for device in ("pump-1", "pump-2", "fan-1", "fan-12"):
        plant.source.feed(f"plant/{device}/telemetry", GOOD)
    plant.source.feed("other/north/pump-1", GOOD)
    plant.drain()
    assert [fleet.devices for fleet in plant.fleets] == [2, 1, 1]
    assert plant.service.counters()["dropped.no_fleet"] == 1
    assert len(plant.source.acknowledged) == 5


def test_every_fleet_has_its_own_budget(model: Path, detector: Detector) -> None:
    plant = Plant(model, fleets=[{"devices": ["a"], "alarms_per_week": 100.0}, {"devices": ["b"]}])
    for device in ("a", "b"):
        plant.feed([Reading(device, START + i, dict.fromkeys(CHANNELS, 1.0)) for i in range(4)])
    plant.drain()
    thresholds = {device: verdict.threshold for (_, device, _), verdict in plant.store.verdicts.items()}
    assert thresholds == {"a": pytest.approx(detector.threshold - 2.0), "b": pytest.approx(detector.threshold)}


def test_single_metrics_become_rows_and_messages_delivered_twice_are_counted(model: Path) -> None:
    plant = Plant(model, fleets=[{"topic": "plant/{device}/{channel}", "dialect": "metric"}])
    for i in range(40):
        for channel in CHANNELS:
            for _ in range(2 if i == 20 else 1):
                plant.source.feed(f"plant/p1/{channel}", json.dumps({"ts": START + i, "value": i % 7}).encode())
    plant.drain()
    counters = plant.service.counters()
    assert counters["readings_admitted"] == 40
    assert counters.get("missing_values", 0) == 0
    assert counters["dropped.duplicate"] == 3
    assert len(plant.source.acknowledged) == 123


def test_the_device_may_stand_in_the_payload(model: Path) -> None:
    plant = Plant(model, fleets=[{"topic": "plant/all", "device_key": "id"}])
    plant.source.feed("plant/all", json.dumps({"ts": START, "id": "p9", "flow": 1.0}).encode())
    plant.drain()
    assert plant.fleets[0].devices == 1


def test_a_fleet_without_its_model_or_with_a_wrong_topic_is_refused_at_once(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        Plant(tmp_path / "nowhere.safetensors")
    with pytest.raises(ConfigError, match="planet"):
        Plant(model, fleets=[{"topic": "plant/{planet}"}])
