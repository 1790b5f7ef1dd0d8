"""The service tells of its models: once, when somebody else judges, and what has changed now and then."""

import json
from pathlib import Path

import pytest
from detector_plant import START, faulty_series
from detector_plant import Plant as FixedPlant
from detector_plant import folder as folder  # every test in a folder of its own
from detector_plant import model as model
from examples import normal_series, readings_of
from test_learning_service import FOLDER, LOOK_S, Plant, folder_of
from test_learning_service import models as models

from anomgan.records import TimeSeries
from anomgan_detector.sheets import SAY_S, Sheets


def shifted(rows: int) -> TimeSeries:
    series = normal_series(rows, 1)
    return TimeSeries(series.times + START, series.values, series.channels)


def test_a_service_tells_of_its_model_with_its_first_turn(model: Path) -> None:
    plant = FixedPlant(model)
    plant.feed(readings_of(faulty_series()))
    plant.drain()
    told = {name: sheet.content for (kind, name), sheet in plant.store.sheets.items() if kind == "model"}
    assert list(told) == ["pump"]
    assert [channel["name"] for channel in told["pump"]["channels"]] == ["flow", "pressure", "current"]
    (fleet,) = [sheet.content for (kind, _), sheet in plant.store.sheets.items() if kind == "fleet"]
    assert (fleet["topic"], fleet["champion"], fleet["challenger"]) == ("plant/{device}/telemetry", "pump", None)
    json.dumps([sheet.content for sheet in plant.store.sheets.values()], allow_nan=False)


def test_sheets_are_told_again_only_where_something_has_changed(model: Path) -> None:
    plant, sheets = FixedPlant(model), Sheets()
    assert len(sheets.due(plant.fleets, 0.0)) == 2
    assert sheets.due(plant.fleets, 1.0) == ()
    assert sheets.due(plant.fleets, SAY_S + 1.0) == ()
    plant.feed(readings_of(shifted(20)))
    plant.drain()
    assert sheets.due(plant.fleets, SAY_S + 2.0) == ()  # a device more is no hurry
    fresh = sheets.due(plant.fleets, 3.0 * SAY_S)
    assert [sheet.content["heard"] for sheet in fresh if sheet.kind == "fleet"] == [1]
    assert len(sheets.due([], 3.0 * SAY_S + 1.0)) == 0  # a change of who judges is told at once
    assert len(sheets.due(plant.fleets, 3.0 * SAY_S + 2.0)) == 2


def test_a_budget_of_the_configuration_goes_before_the_models_own(model: Path) -> None:
    plant = FixedPlant(model, fleets=[{"alarms_per_week": 30.0}])
    (fleet,) = [sheet.content for sheet in Sheets().due(plant.fleets, 0.0) if sheet.kind == "fleet"]
    assert fleet["alarms_per_week"] == 30.0
    assert fleet["threshold"] < plant.fleets[0].detector.threshold


def test_a_fleet_without_a_model_says_how_much_history_there_is_and_how_much_is_enough(folder: Path) -> None:
    plant = Plant()
    plant.feed(readings_of(shifted(25), "a"))
    plant.turns(14)
    (sheet,) = plant.store.sheets.values()
    gathered = sheet.content["gathered"]
    assert (gathered["devices"], gathered["rows"], gathered["training"]) == (1, 25, False)
    assert gathered["hours"] == pytest.approx(24 / 3600, abs=1e-4)
    assert [need["met"] for need in gathered["needs"]] == [False, False]
    assert gathered["needs"][0]["have"] == 25
    assert sheet.content["champion"] is None


def test_champion_and_challenger_are_told_with_their_comparison_and_the_change_of_who_judges(
    folder: Path, models: list[bytes]
) -> None:
    with folder_of(models, 2) as here:
        plant = Plant()
        plant.feed(readings_of(shifted(60), "a"))
        plant.turns(int(SAY_S / LOOK_S) + 2)
        told = plant.store.sheets
        assert {name for kind, name in told if kind == "model"} == {"pumps-0001", "pumps-0002"}
        (fleet,) = [sheet.content for (kind, _), sheet in told.items() if kind == "fleet"]
        assert (fleet["champion"], fleet["challenger"]) == ("pumps-0001", "pumps-0002")
        assert fleet["shadow"]["windows"] > 0
        assert fleet["shadow"]["promotes"] is False
        here.promote(2, models[1], 2.0, "it is better")
        plant.turns(3)
        (fleet,) = [sheet.content for (kind, _), sheet in plant.store.sheets.items() if kind == "fleet"]
        assert (fleet["champion"], fleet["challenger"]) == ("pumps-0002", None)
        assert fleet["changes"][0] == {
            "time_s": 2.0,
            "what": "promoted",
            "model": "pumps-0002",
            "reason": "it is better",
        }


def test_a_history_that_cannot_be_read_stops_nobody(folder: Path) -> None:
    plant = Plant()
    plant.feed(readings_of(shifted(5), "a"))
    plant.turns(2)
    for history in plant.renewal.histories.values():
        history.close()
    database = next(Path(FOLDER).glob("*.db"))
    for file in Path(FOLDER).glob("*.db*"):
        file.unlink()
    database.write_text("no database" * 1000)
    (sheet,) = Sheets(plant.renewal.history).due(plant.renewal.posts(), 0.0)
    assert sheet.content["gathered"]["rows"] == 0
