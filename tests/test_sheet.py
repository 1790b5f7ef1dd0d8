"""A model's sheet says what it is in JSON, and a model of an earlier version has one too."""

import json
from dataclasses import replace

import numpy as np
import pytest

from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.fit import Fitted
from anomgan.model_file import pack, unpack
from anomgan.records import TimeSeries
from anomgan.sheet import model_sheet

KEPT_SINCE = ("devices", "excluded", "course", "latent_spread", "normal_error", "reliability")


@pytest.fixture
def parts(detector: Detector) -> Fitted:
    return detector.parts


def test_a_sheet_is_json_without_nan(parts: Fitted) -> None:
    sheet = model_sheet(parts, 1234)
    assert json.loads(json.dumps(sheet, allow_nan=False)) == sheet
    assert sheet["bytes"] == 1234
    assert sheet["threshold"] == pytest.approx(Detector(parts).threshold)
    assert sheet["devices"] == [["", 600, 0.0, 599.0]]
    assert [channel["name"] for channel in sheet["channels"]] == list(parts.channels)


def test_normal_errors_are_in_the_channels_units_and_rise(parts: Fitted) -> None:
    for channel in model_sheet(parts, 0)["channels"]:
        half, most, nearly_all = channel["error"]
        assert 0.0 < half < most < nearly_all < channel["high"] - channel["low"]
        assert channel["role"] == "measured"


def test_a_file_of_an_earlier_version_loads_and_has_a_sheet(parts: Fitted) -> None:
    old = replace(parts, summary={name: told for name, told in parts.summary.items() if name not in KEPT_SINCE})
    loaded = unpack(pack(old), "old.safetensors")
    sheet = model_sheet(loaded, 0)
    json.dumps(sheet, allow_nan=False)
    assert (sheet["course"], sheet["reliability"], sheet["devices"]) == (None, None, None)
    assert sheet["game"]["balance"] == "unknown"
    assert all(channel["error"] is None for channel in sheet["channels"])


def test_what_a_caller_left_out_is_told_and_the_curves_survive_a_file(
    train_series: TimeSeries, config: DetectorConfig
) -> None:
    """States, constants, and a channel without a value too."""
    rows = len(train_series)
    values = np.column_stack([train_series.values, np.arange(rows) % 2, np.full(rows, 7.5), np.full(rows, np.nan)])
    series = TimeSeries(train_series.times, values, (*train_series.channels, "door", "setpoint", "spare"), device="p1")
    detector = Detector.fit(series, config.model_copy(update={"steps": 2}), excluded=["columns label"])
    sheet = model_sheet(unpack(pack(detector.parts), "here"), 0)
    assert sheet["excluded"] == ["columns label"]
    assert sheet["devices"] == [["p1", rows, 0.0, 599.0]]
    assert sheet["course"]["step"] == [2]
    roles = [channel["role"] for channel in sheet["channels"]]
    assert roles == ["measured", "measured", "measured", "state", "constant", "without a value"]
    assert [channel["error"] is None for channel in sheet["channels"]] == [False, False, False, True, False, True]


def test_scores_do_not_depend_on_what_is_kept_for_people(detector: Detector, series: TimeSeries) -> None:
    bare = Detector(replace(detector.parts, summary={}))
    np.testing.assert_array_equal(bare.score(series), detector.score(series))


def test_what_the_generator_makes_of_windows_is_in_their_units(detector: Detector, series: TimeSeries) -> None:
    length = detector.rule.window
    windows = np.stack([series.values[at : at + length].T for at in (0, 40)])  # (2, C, L)
    rebuilt = detector.rebuild(windows)
    assert rebuilt.shape == windows.shape
    errors = [channel["error"][2] for channel in model_sheet(detector.parts, 0)["channels"]]
    assert np.all(np.abs(rebuilt - windows).mean((0, 2)) < errors)
    holed = windows.copy()
    holed[0, 1] = np.nan
    assert np.isfinite(detector.rebuild(holed)).all()
