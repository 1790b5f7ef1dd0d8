"""The service with a synthesizer beside its model: what events should have looked like, and when it is not told."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detector_plant import NOW, START, Plant, folder
from examples import readings_of
from imputer_cases import BEGINS, CHANNELS, ENDS, SIZE, WINDOW, healthy, judge, maker, plant, with_fault

from anomgan.adapters.influx import influx_letter
from anomgan.adapters.ports import Batch, Message
from anomgan.config import ServiceConfig, SynthesizerConfig, parse_config
from anomgan.detector import Detector
from anomgan.errors import DataError, ModelFileError
from anomgan.records import Event, Reading, TimeSeries
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan_detector import imputing
from anomgan_detector.compose import check
from anomgan_detector.imputing import PART
from anomgan_detector.renewal import Renewal

__all__ = ["folder", "healthy", "judge", "maker"]  # fixtures
SPEED = CHANNELS.index("speed")
ROWS = 200


@pytest.fixture(scope="session")
def model(judge: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "pump.safetensors"
    judge.save(path)
    return path


@pytest.fixture(scope="session")
def beside(maker: Synthesizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthesizer of the same device."""
    path = tmp_path_factory.mktemp("beside") / "pump-gan.safetensors"
    maker.save(path)
    return path


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of another device."""
    path = tmp_path_factory.mktemp("stranger") / "fan-gan.safetensors"
    config = SynthesizerConfig(window=16, width=4, latent=4, steps=2, batch=8, device="cpu")
    channels = ("flow", "pressure", "torque", *CHANNELS[3:])
    Synthesizer.fit(replace(plant(300, 0), channels=channels), config).save(path)
    return path


@pytest.fixture(scope="session")
def faulty(healthy: TimeSeries) -> list[Reading]:
    """The readings of a device whose speed lies for a while."""
    return readings(healthy)


def readings(healthy: TimeSeries, device: str = "p1", *channels: str) -> list[Reading]:
    series = with_fault(healthy, *(channels or ("speed",)))[:ROWS]
    return readings_of(replace(series, times=series.times + START), device)


def run(plant: Plant, *readings: Reading) -> Plant:
    plant.feed(readings)
    plant.drain()
    return plant


def plant_with(model: Path, path: Path | str, **tables: Any) -> Plant:
    return Plant(model, [{"synthesizer": str(path)}], **tables)


def counted(plant: Plant) -> dict[str, int]:
    return {name: count for name, count in plant.service.counters().items() if "imputed" in name}


def bare(event: Event) -> Event:
    """What imputing must leave alone."""
    return replace(event, observed=(), expected=(), reason="")


def test_an_event_is_told_stored_and_published_with_what_was_imputed(
    model: Path, beside: Path, healthy: TimeSeries, faulty: list[Reading]
) -> None:
    plain, plant = run(Plant(model), *faulty), run(plant_with(model, beside), *faulty)
    (before,), (event,) = plain.store.events.values(), plant.store.events.values()
    assert bare(event) == bare(before)
    assert (event.state, event.channels[0]) == ("closed", "speed")
    assert abs(event.expected[0] - (event.observed[0] - SIZE)) < abs(before.expected[0] - (before.observed[0] - SIZE))
    assert plant.heard[-1].reason == event.reason != before.reason
    assert f"where {event.expected[0]:.4g} was expected" in event.reason
    published = [json.loads(told) for topic, told in plant.publisher.published if topic == "anomgan/p1/event"]
    assert published[-1]["channels"][0]["expected"] == event.expected[0]
    rows = {time_s: told for (_, _, time_s, channel), told in plant.store.expected.items() if channel == "speed"}
    assert {START + row for row in range(BEGINS, ENDS)} <= rows.keys()
    middle = np.array([rows[START + row][1] for row in range(BEGINS, ENDS)])
    assert np.abs(middle - healthy.values[BEGINS:ENDS, SPEED]).mean() < 0.5
    assert all(low <= middle <= high for low, middle, high in rows.values())
    said = [
        [(key, repr(one.surprise), one.threshold) for key, one in of.store.verdicts.items()] for of in (plant, plain)
    ]
    assert said[0] == said[1]
    assert counted(plant) == {"events_imputed": len(plant.heard)}


def test_without_a_synthesizer_nothing_is_kept_and_nothing_counted(model: Path, faulty: list[Reading]) -> None:
    plant = run(Plant(model), *faulty)
    assert (plant.store.expected, counted(plant)) == ({}, {})
    assert PART not in plant.fleets[0].snapshot()
    assert "imputing" not in plant.fleets[0].describe()


def judged(plant: Plant, some: Sequence[Reading], batch: int) -> list[tuple[Any, ...]]:
    """What a fleet tells of readings in turns of so many: events, how they stand, and what was imputed, as numbers."""
    told: list[tuple[Any, ...]] = []
    for at in range(0, len(some), batch):
        messages = [
            Message(f"plant/{one.device}/telemetry", json.dumps({"ts": one.time_s, **one.values}).encode())
            for one in some[at : at + batch]
        ]
        turn = plant.fleets[0].judge(messages, NOW)
        expected = [(one.device, one.channels, one.times.tolist(), one.middle.tolist()) for one in turn.expected]
        told.append((turn.events, turn.standing, expected))
    return told


@pytest.mark.parametrize("batch", [7, 41, 500])
def test_how_messages_fall_into_turns_does_not_matter(
    model: Path, beside: Path, faulty: list[Reading], batch: int
) -> None:
    one, several = (judged(plant_with(model, beside), faulty, size) for size in (1, batch))

    def described(events: Sequence[Event]) -> list[tuple[object, ...]]:
        """What does not hang on the last digits of a surprise."""
        return [
            (event.id, event.state, event.end_s, event.channels, event.observed, event.expected) for event in events
        ]

    assert described([e for turn in several for e in turn[0]]) == described([e for turn in one for e in turn[0]])
    assert [rows for turn in several for rows in turn[2]] == [rows for turn in one for rows in turn[2]]


@pytest.mark.parametrize("row", [BEGINS - 3, BEGINS + 3, BEGINS + 8, ENDS - 1, ENDS + 3])
@pytest.mark.parametrize("batch", [1, 20])
def test_one_that_is_started_again_tells_what_a_steady_one_tells(
    model: Path, beside: Path, faulty: list[Reading], row: int, batch: int
) -> None:
    steady = plant_with(model, beside)
    expected = judged(steady, faulty[:row], batch) + judged(steady, faulty[row:], batch)
    first, again = plant_with(model, beside), plant_with(model, beside)
    before = judged(first, faulty[:row], batch)
    again.fleets[0].restore(first.fleets[0].snapshot())
    assert before + judged(again, faulty[row:], batch) == expected
    assert again.fleets[0].snapshot()[PART] == steady.fleets[0].snapshot()[PART]
    assert counted(again) == counted(steady)


def test_an_open_event_stands_as_it_was_told(model: Path, beside: Path, faulty: list[Reading]) -> None:
    told, peaks = [], set()
    for events, standing, _ in judged(plant_with(model, beside), faulty[: BEGINS + 12], 1):
        told += events
        for event in standing:
            peaks.add(event.peak)
            assert (event.reason, event.observed, event.expected) == (
                told[-1].reason,
                told[-1].observed,
                told[-1].expected,
            )
    assert len(peaks) > len(told) > 0  # it grew between two tellings


@pytest.mark.parametrize("which", ["fan-gan.safetensors", "nowhere"])
def test_one_that_does_not_fit_is_told_and_counted_and_the_events_are_the_detector_s(
    model: Path, stranger: Path, faulty: list[Reading], which: str, caplog: pytest.LogCaptureFixture
) -> None:
    fault = "it does not make speed, which the detector judges" if which == stranger.name else "nowhere: cannot be read"
    plant = run(plant_with(model, stranger if which == stranger.name else which), *faulty)
    plain = run(Plant(model), *faulty)
    assert plant.store.events == plain.store.events
    assert plant.store.expected == {}
    assert counted(plant) == {"events_not_imputed.unfit": len(plant.heard)}
    assert fault in plant.fleets[0].describe()
    assert fault in caplog.text
    (sheet,) = [sheet for sheet in plant.store.sheets.values() if sheet.kind == "fleet"]
    assert fault in sheet.content["imputing"]["fault"]


def test_when_many_fail_at_once_the_last_are_told_without(
    model: Path, beside: Path, healthy: TimeSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imputing, "AT_ONCE", 2)
    plant = plant_with(model, beside, decide={"open_after": 1, "close_after": 100})
    several = [one for device in "abc" for one in readings(healthy, device)[: BEGINS + 4]]
    ((events, _, expected),) = judged(plant, several, len(several))
    assert [event.device for event in events] == ["a", "b", "c"]
    assert [one[0] for one in expected] == ["a", "b"]
    assert counted(plant) == {"events_imputed": 2, "events_not_imputed.too_many": 1}


def test_a_fault_of_which_no_row_before_is_known_is_told_by_the_detector(
    model: Path, beside: Path, faulty: list[Reading]
) -> None:
    first, again = Plant(model), plant_with(model, beside)
    judged(first, faulty[: BEGINS - 2], 10)
    again.fleets[0].restore(first.fleets[0].snapshot())  # of a service that kept no rows
    judged(again, faulty[BEGINS - 2 : BEGINS + 6], 1)
    assert set(counted(again)) == {"events_not_imputed.too_few_rows"}


def test_rows_are_kept_only_as_far_as_they_are_needed(model: Path, beside: Path, healthy: TimeSeries) -> None:
    plant = plant_with(model, beside)
    series = replace(healthy, times=healthy.times + START)
    judged(plant, readings_of(series, "p1"), 3)
    a_row = 8 + 4 * len(CHANNELS)
    kept = WINDOW + WINDOW // 2
    size = len(plant.fleets[0].snapshot()[PART])
    assert kept * a_row <= size < kept * a_row + 250
    assert plant.fleets[0].imputing.forget([("", "p1")], []) == []
    assert len(plant.fleets[0].snapshot()[PART]) < 200


def test_a_damaged_snapshot_is_refused_and_changes_nothing(model: Path, beside: Path, faulty: list[Reading]) -> None:
    plant = plant_with(model, beside)
    judged(plant, faulty[: BEGINS + 8], 5)
    whole = plant.fleets[0].imputing.snapshot()
    content = whole[PART]
    for damaged in (b"", content[:-1], content + b"x", content[:40], content.replace(b'"p1"', b"null"), b"x" * 99):
        with pytest.raises(DataError, match="not a snapshot of what is imputed by"):
            plant.fleets[0].imputing.restore({PART: damaged})
    assert plant.fleets[0].imputing.snapshot() == whole


def test_a_new_model_goes_on_with_the_rows_of_the_one_before(model: Path, beside: Path, faulty: list[Reading]) -> None:
    steady, before, after = (plant_with(model, beside) for _ in range(3))
    whole = judged(steady, faulty[:BEGINS], 10) + judged(steady, faulty[BEGINS:], 10)
    judged(before, faulty[:BEGINS], 10)
    after.fleets[0].take_over(before.fleets[0])
    assert judged(after, faulty[BEGINS:], 10) == whole[BEGINS // 10 :]


def test_influxdb_is_told_what_was_imputed_in_the_place_of_what_the_detector_expected(
    model: Path, beside: Path, faulty: list[Reading]
) -> None:
    plant = plant_with(model, beside)
    messages = [
        Message("plant/p1/telemetry", json.dumps({"ts": one.time_s, **one.values}).encode())
        for one in faulty[: BEGINS + 6]
    ]
    turn = plant.fleets[0].judge(messages, NOW)
    letter = influx_letter(Batch(turn.verdicts, turn.events, expected=turn.expected), NOW)
    assert letter is not None
    lines = [line for line in letter.body.decode().splitlines() if ",channel=speed " in line]
    stamp = f" {round(turn.events[0].end_s * 1e6)}"
    own, imputed = (line for line in lines if line.endswith(stamp))
    assert "contribution=" in own
    assert own.split(" ")[0] == imputed.split(" ")[0] == "anomaly_channel,device=p1,channel=speed"
    fields = dict(field.split("=") for field in imputed.split(" ")[1].split(","))
    assert set(fields) == {"expected", "expected_low", "expected_high"}
    assert float(fields["expected_low"]) <= float(fields["expected"]) <= float(fields["expected_high"])


# ---------------------------------------------------------------- files


def settings(model: Path, synthesizer: Path) -> ServiceConfig:
    document = {
        "fleets": [{"model": str(model), "synthesizer": str(synthesizer), "topic": "plant/{device}/telemetry"}],
        "store": {"sqlite": {"path": "store.db"}},
    }
    return parse_config(ServiceConfig, document, "service.toml")


def test_a_check_fails_where_the_synthesizer_does_not_fit_or_is_not_there(model: Path, stranger: Path) -> None:
    with pytest.raises(ModelFileError, match=r"fan-gan.*: does not fit the detector"):
        list(check(settings(model, stranger)))
    with pytest.raises(ModelFileError, match="nowhere: no such file"):
        list(check(settings(model, Path("nowhere"))))
    with pytest.raises(ModelFileError, match="a detector's file, where a synthesizer's is wanted"):
        list(check(settings(model, model)))


def test_a_synthesizer_is_taken_up_when_its_file_is_replaced_and_a_bad_one_is_refused(
    model: Path, beside: Path, stranger: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "gan.safetensors"
    path.write_bytes(beside.read_bytes())
    renewal = Renewal(settings(model, path), lambda: 0.0)
    posts = renewal.posts()
    assert posts[0].describe().endswith(f"imputing by {path}")
    renewal.ask()
    assert renewal.look(posts) is None
    path.write_bytes(stranger.read_bytes())
    renewal.ask()
    renewed = renewal.look(posts)
    assert renewed is not None
    assert "not imputing" in renewed[0].describe()
    renewal.taken()
    assert "synthesizer gan" in caplog.text or "does not fit" in caplog.text
    path.write_bytes(b"nothing")
    renewal.ask()
    assert renewal.look(renewed) is None
    assert "gan.safetensors: truncated" in caplog.text


def test_turns_are_made_again_by_the_synthesizer_that_made_them(
    model: Path, beside: Path, stranger: Path, tmp_path: Path
) -> None:
    path = tmp_path / "gan.safetensors"
    path.write_bytes(beside.read_bytes())
    renewal = Renewal(settings(model, path), lambda: 0.0)
    renewal.keep_models()
    record = renewal.record()
    path.write_bytes(stranger.read_bytes())
    after = Renewal(settings(model, path), lambda: 0.0)
    assert "not imputing" in after.posts()[0].describe()
    past = after.past(record)
    assert past is not None
    assert f"imputing by {path}" in past[0].describe()
    assert "not imputing" not in past[0].describe()
