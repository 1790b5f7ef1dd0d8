"""The band in the embedded store: told once per model, drawn where it held, and never a reason not to open a file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from store_records import event, make_older, verdict

from anomgan import band
from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.sqlite_history import History
from anomgan.adapters.sqlite_read import open_reader
from anomgan.errors import ServerError, Unreachable
from anomgan.records import Verdict

NARROW = np.array([[1.0, 1.0, -0.1, 0.1], [2.0, 1.0, -0.1, 0.1]])
WIDE = np.array([[1.0, 1.0, -9.0, 9.0], [2.0, 1.0, -9.0, 9.0]])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def seen(time_s: float, flow: float, places: object = NARROW, **changes: object) -> Verdict:
    return verdict(time_s, values=np.array([flow, 2.0], np.float32), band=places, **changes)


def history(path: Path, **span: float) -> History:
    with open_reader(path) as reader:
        past = reader.history("north", "p1", **span)  # type: ignore[arg-type]  # times and points
    assert past is not None
    return past


def written(path: Path, *batches: list[Verdict]) -> None:
    for batch in batches:  # each by a service that began anew
        store = SqliteStore(path)
        store.write(Batch(batch))
        store.close()


def steps(path: Path) -> list[tuple[float, float]]:
    """(since, the lower limit of the first channel) of every step."""
    return [(step.since_s, float(step.band[0, band.LOW])) for step in history(path).bands]


def test_a_band_is_stored_once_and_again_when_another_model_takes_over(path: Path) -> None:
    written(path, [seen(float(t), 1.0, NARROW.copy()) for t in range(5)], [seen(5.0, 1.0)])
    assert steps(path) == [(0.0, -0.1)]
    written(path, [seen(6.0, 1.0, WIDE), seen(7.0, 1.0, WIDE)], [seen(8.0, 1.0)])
    assert steps(path) == [(0.0, -0.1), (6.0, -9.0), (8.0, -0.1)]


def test_turns_made_again_change_nothing(path: Path) -> None:
    turns = [[seen(0.0, 1.0), seen(1.0, 1.0)], [seen(2.0, 1.0, WIDE)], [seen(3.0, 1.0, WIDE)]]
    written(path, *turns)
    before = steps(path)
    written(path, *turns)
    assert [history(path).bands[i].band[0, band.LOW] for i in range(2)] == [-0.1, -9.0]
    assert steps(path) == before


def test_what_lies_outside_is_told_by_the_band_that_held_then(path: Path) -> None:
    written(path, [seen(0.0, 1.05), seen(1.0, 1.5), seen(2.0, 0.2)], [seen(3.0, 1.5, WIDE), seen(4.0, 1.5)])
    outside = history(path).outside[:, 0]
    np.testing.assert_array_equal(outside, np.array([np.nan, 1.5, 0.2, np.nan, 1.5], np.float32))
    assert np.isnan(history(path).outside[:, 1]).all()


def test_one_reading_outside_is_still_there_among_many_that_are_thinned(path: Path) -> None:
    wave = [1.0 + 50.0 * np.sin(t / 7) for t in range(3000)]  # far more than the band is wide, as is what is expected
    of = [
        seen(float(t), 60.0 if t == 1234 else level, expected=np.array([level, 2.0], np.float32))
        for t, level in enumerate(wave)
    ]
    written(path, of)
    past = history(path, points=100)
    assert len(past.times) <= 100
    at = np.flatnonzero(~np.isnan(past.outside[:, 0]))
    assert set(past.outside[at, 0].tolist()) == {60.0}
    assert np.abs(past.times[at] - 1234).max() < 3000 / 40


def test_a_model_with_other_channels_has_a_band_for_its_own_alone(path: Path) -> None:
    other = replace(
        seen(5.0, 1.0),
        channels=("speed",),
        units=("rpm",),
        values=np.array([9.0], np.float32),
        expected=np.array([1.0], np.float32),
        contribution=np.array([1.0], np.float32),
        band=NARROW[:1],
    )
    written(path, [seen(4.0, 5.0)], [other])
    past = history(path)
    assert past.channels == ("speed", "flow", "pressure")
    np.testing.assert_array_equal(past.outside[:, :2], np.array([[np.nan, 5.0], [9.0, np.nan]], np.float32))
    assert np.isnan(past.bands[1].band[1:]).all()


def test_bands_that_were_over_before_the_retention_are_forgotten(path: Path) -> None:
    day = 86_400.0
    store = SqliteStore(path, retention_days=1.0)
    for time_s, places in ((0.0, NARROW), (0.1 * day, WIDE), (0.2 * day, NARROW), (3.0 * day, NARROW)):
        store.write(Batch([seen(time_s, 1.0, places)]))
    store.close()
    assert steps(path) == [(0.2 * day, -0.1)]


def test_a_verdict_without_a_band_has_none(path: Path) -> None:
    written(path, [seen(0.0, 99.0, None)])
    assert history(path).bands == []
    assert np.isnan(history(path).outside).all()


def test_a_store_of_the_schema_before_is_brought_up_to_date(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([seen(0.0, 99.0)], [event(onsets=(("flow", 3.0),))]))
    store.close()
    make_older(path)
    with pytest.raises(Unreachable, match="older schema"), open_reader(path):
        pass
    written(path, [seen(1.0, 99.0)])
    assert steps(path) == [(1.0, -0.1)]
    with open_reader(path) as reader:
        assert reader.events()[0].onsets == ()


def test_onsets_are_read_back_in_order(path: Path) -> None:
    onsets = (("<b>flow</b>", 3.25), ("pressure", 15.0))
    store = SqliteStore(path)
    store.write(Batch([], [event(onsets=onsets)]))
    store.write(Batch([], [event(onsets=(*onsets, ("speed", 16.0)), end_s=30.0)]))
    store.close()
    with open_reader(path) as reader:
        assert reader.events()[0].onsets == (*onsets, ("speed", 16.0))


def test_a_write_that_failed_has_told_no_band(path: Path) -> None:
    store = SqliteStore(path)
    with pytest.raises(ServerError):
        store.write(Batch([seen(0.0, 1.0)], [event(reason="half a pair \ud800")]))
    store.write(Batch([seen(1.0, 1.0)]))
    store.close()
    assert steps(path) == [(1.0, -0.1)]


def test_a_device_in_the_place_of_one_that_is_gone_has_its_band_told(path: Path) -> None:
    store, now_s = SqliteStore(path, retention_days=0.1), 0.0
    store.write(Batch([seen(0.0, 1.0, device="here"), seen(0.0, 1.0, device="gone")], now_s=now_s))
    for _ in range(5):
        now_s += 3600.0
        store.write(Batch([seen(now_s, 1.0, device="here")], now_s=now_s))
    assert store.outlived["outlived.devices"] == 1
    store.write(Batch([seen(now_s, 1.0)], now_s=now_s))
    store.close()
    assert steps(path) == [(now_s, -0.1)]
