"""Laws of the embedded store: what was written can be read, once, whole, and for as long as was asked."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from store_records import NAN, dump, event, verdict

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.sqlite_read import Counts, open_reader
from anomgan.adapters.sqlite_rows import TRAIL_BUCKET_S, TRAIL_POINTS
from anomgan.records import Event

DAY_S = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "store.db"


def test_what_is_written_is_read_back(path: Path) -> None:
    store = SqliteStore(path)
    written = [verdict(10.0, NAN), verdict(11.0, 4.5), verdict(12.0, 0.5)]
    store.write(Batch(written, [event()], {"messages_received": 7}))
    with open_reader(path) as reader:
        past = reader.history("north", "p1")
        assert past is not None
        assert past.times.tolist() == [10.0, 11.0, 12.0]
        np.testing.assert_array_equal(past.surprise, np.float32([NAN, 4.5, 0.5]))
        np.testing.assert_array_equal(past.reconstruction, np.float32([NAN, 5.5, 1.5]))
        np.testing.assert_array_equal(past.observed, np.stack([v.values for v in written]))
        np.testing.assert_array_equal(past.expected, np.stack([v.expected for v in written]))
        np.testing.assert_array_equal(past.contribution, np.stack([v.contribution for v in written]))
        assert (past.channels, past.units) == (("flow", "pressure"), ("m³/h", "bar"))
        found = reader.event("e1")
        assert found is not None
        assert repr(found) == repr(event())  # by repr, for NaN is not equal to itself
        assert reader.counters() == {"messages_received": 7}
        assert reader.counts() == Counts(verdicts=3, scores=2, events=1)
    store.close()


def test_an_unknown_surprise_is_null_in_the_file_and_never_normal(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(10.0, NAN, discriminator=NAN)]))
    row = sqlite3.connect(path).execute("SELECT surprise, discriminator FROM verdict").fetchone()
    assert row == (None, None)
    with open_reader(path) as reader:
        assert reader.fleet()[0].state == "warming up"
    store.close()


def test_writing_a_batch_again_changes_nothing(path: Path) -> None:
    batch = Batch([verdict(10.0), verdict(11.0, 4.0), verdict(10.0, 2.0, device="p2")], [event()], {"n": 1})
    store = SqliteStore(path)
    store.write(batch)
    once = dump(path)
    store.write(batch)
    assert dump(path) == once
    store.close()
    again = SqliteStore(path)  # as after a restart
    again.write(batch)
    assert dump(path) == once
    again.close()


def test_a_replayed_warm_up_does_not_wipe_out_a_score(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(10.0, 4.0)]))
    store.write(Batch([verdict(10.0, NAN)]))
    with open_reader(path) as reader:
        past = reader.history("north", "p1")
        assert past is not None
        assert past.surprise.tolist() == [4.0]
        assert reader.fleet()[0].surprise == 4.0
    store.close()


def test_a_score_replaces_an_unknown(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(10.0, NAN)]))
    store.write(Batch([verdict(10.0, 4.0)]))
    with open_reader(path) as reader:
        assert reader.fleet()[0].surprise == 4.0
        assert reader.counts() == Counts(1, 1, 0)
    store.close()


def test_a_late_verdict_enters_the_history_but_is_not_the_latest(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(20.0, 1.0), verdict(10.0, 9.0)]))
    store.write(Batch([verdict(15.0, 9.0)]))
    with open_reader(path) as reader:
        past, state = reader.history("north", "p1"), reader.fleet()[0]
        assert past is not None
        assert past.times.tolist() == [10.0, 15.0, 20.0]
        assert (state.time_s, state.surprise, state.first_s) == (20.0, 1.0, 10.0)
    store.close()


def test_devices_of_two_sites_with_one_name_are_two(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0), verdict(1.0, 5.0, site="south")]))
    with open_reader(path) as reader:
        assert {(s.site, s.surprise) for s in reader.fleet()} == {("north", 1.0), ("south", 5.0)}
    store.close()


OPEN, GROWN, CLOSED = event(end_s=20.0), event(end_s=30.0), event(end_s=30.0, state="closed")
REOPENED = event(end_s=40.0)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ([OPEN, GROWN, CLOSED], CLOSED),
        ([CLOSED, GROWN], CLOSED),
        ([CLOSED, OPEN], CLOSED),
        ([GROWN, OPEN], GROWN),
        ([CLOSED, REOPENED], REOPENED),
        ([REOPENED, CLOSED], REOPENED),
    ],
)
def test_of_an_event_told_twice_the_later_version_stays(path: Path, told: Sequence[Event], kept: Event) -> None:
    store = SqliteStore(path)
    for one in told:
        store.write(Batch(events=[one]))
    with open_reader(path) as reader:
        found = reader.event("e1")
        assert found is not None
        assert (found.state, found.end_s) == (kept.state, kept.end_s)
    store.close()


def test_counters_of_an_earlier_run_are_forgotten(path: Path) -> None:
    first = SqliteStore(path)
    first.write(Batch(counters={"dropped.bad_json": 5, "messages_received": 9}))
    first.close()
    second = SqliteStore(path)
    second.write(Batch([verdict(1.0)]))
    second.write(Batch(counters={"messages_received": 1}))
    second.write(Batch(counters={"readings_received": 2}))
    with open_reader(path) as reader:
        assert reader.counters() == {"messages_received": 1, "readings_received": 2}
    second.close()


def test_a_device_is_silent_when_the_fleet_goes_on_without_it(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(t, device=d) for d in ("a", "b") for t in (0.0, 1.0, 2.0)]))
    with open_reader(path) as reader:
        revision = reader.summary().revision
    store.write(Batch([verdict(61.0, device="a")]))
    with open_reader(path) as reader:
        assert [s.state for s in reader.fleet()] == ["normal", "normal"]
    store.write(Batch([verdict(63.0, device="a")]))
    with open_reader(path) as reader:
        assert {s.device: s.state for s in reader.fleet(since=revision)} == {"a": "normal", "b": "silent"}
    store.close()


def test_a_slow_device_is_not_silent_between_its_readings(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(600.0 * i, device="slow") for i in range(5)]))
    store.write(Batch([verdict(2400.0 + i, device="fast") for i in range(0, 900, 10)]))
    with open_reader(path) as reader:
        assert {s.device: s.state for s in reader.fleet()} == {"slow": "normal", "fast": "normal"}
    store.close()


def test_an_open_event_makes_a_device_anomalous_until_it_closes(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(21.0)], [event()]))
    with open_reader(path) as reader:
        state = reader.device("north", "p1")
        assert state is not None
        assert state.state == "anomalous"
        assert state.open_event is not None
        assert state.open_event.id == "e1"
    store.write(Batch(events=[event(state="closed")]))
    with open_reader(path) as reader:
        assert reader.fleet()[0].state == "normal"
    store.close()


def test_since_tells_only_what_changed(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0, device="a"), verdict(1.0, device="b")]))
    with open_reader(path) as reader:
        before = reader.summary()
    store.write(Batch([verdict(2.0, device="b")]))
    with open_reader(path) as reader:
        after = reader.summary()
        assert after.revision == before.revision + 1
        assert after.store_id == before.store_id
        assert [s.device for s in reader.fleet(before.revision)] == ["b"]
        assert reader.fleet(after.revision) == []
    store.close()


def test_the_trail_keeps_spikes_and_its_length(path: Path) -> None:
    store = SqliteStore(path)
    n = int((TRAIL_POINTS + 20) * TRAIL_BUCKET_S)
    surprises = np.ones(n)
    spike = n - int(10 * TRAIL_BUCKET_S) + 3
    surprises[spike] = 7.0
    for first in range(0, n, 100):
        store.write(Batch([verdict(float(t), surprises[t]) for t in range(first, min(first + 100, n))]))
    with open_reader(path) as reader:
        trail = reader.fleet()[0].trail
    assert len(trail) == TRAIL_POINTS
    expected = surprises.reshape(-1, int(TRAIL_BUCKET_S)).max(axis=1)[-TRAIL_POINTS:]
    np.testing.assert_array_equal(trail, expected.astype(np.float32))
    store.close()


def test_events_are_filtered_and_paged_latest_first(path: Path) -> None:
    store = SqliteStore(path)
    told = [event(f"e{i:02}", 10.0 * (i // 2), 10.0 * (i // 2) + 5.0, state="closed") for i in range(20)]
    store.write(Batch(events=[*told, event("other", 42.0, 43.0, device="p2")]))
    with open_reader(path) as reader:
        ids = [e.id for e in reader.events(source=("north", "p1"), limit=7)]
        while page := reader.events(source=("north", "p1"), before=ids[-1], limit=7):
            ids += [e.id for e in page]
        assert ids == [e.id for e in sorted(told, key=lambda e: (e.start_s, e.id), reverse=True)]
        assert [e.id for e in reader.events(state="open")] == ["other"]
        assert {e.id for e in reader.events(start_s=44.0, end_s=52.0)} == {"e08", "e09", "e10", "e11", "other"}
        assert reader.events(source=("north", "nobody")) == []
        assert [e.id for e in reader.events(start_s=1000.0)] == ["other"]  # an open event goes on
    store.close()


def test_a_model_with_other_channels_does_not_mix_up_the_history(path: Path) -> None:
    store = SqliteStore(path)
    other = {"channels": ("pressure", "speed", "flow"), "units": (), "model": "pump2"}
    three = np.array([7.0, 8.0, 9.0], dtype=np.float32)
    store.write(Batch([verdict(1.0)]))
    store.write(Batch([verdict(2.0, values=three, expected=three, contribution=three, **other)]))
    with open_reader(path) as reader:
        past = reader.history("north", "p1")
    assert past is not None
    assert past.channels == ("pressure", "speed", "flow")
    assert past.units == ("bar", "", "m³/h")
    np.testing.assert_array_equal(past.observed, np.float32([[NAN, NAN, 1.0], [7.0, 8.0, 9.0]]))
    store.close()


def test_a_channel_list_is_stored_once(path: Path) -> None:
    store = SqliteStore(path)
    for t in range(5):
        store.write(Batch([verdict(float(t))]))
    assert len(dump(path)["channels"]) == 1
    store.close()


def test_a_spike_of_one_reading_survives_in_a_day(path: Path) -> None:
    store = SqliteStore(path)
    quiet = [verdict(float(t), 1.0) for t in range(0, 86_400, 10)]
    quiet[4321] = verdict(43_210.0, 8.5)
    store.write(Batch(quiet))
    with open_reader(path) as reader:
        past = reader.history("north", "p1", points=200)
        assert past is not None
        assert len(past.times) <= 200
        assert past.rows == 8640
        assert np.nanmax(past.surprise) == 8.5
        whole = reader.history("north", "p1", 43_000.0, 43_400.0, points=200)
        assert whole is not None
        assert len(whole.times) == whole.rows == 41
    store.close()


def test_an_empty_stretch_and_an_unknown_device_are_answered(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0)]))
    with open_reader(path) as reader:
        empty = reader.history("north", "p1", 100.0, 200.0)
        assert empty is not None
        assert (len(empty.times), empty.observed.shape, empty.rows) == (0, (0, 2), 0)
        assert reader.history("north", "nobody") is None
        assert reader.device("north", "nobody") is None
        assert reader.event("nothing") is None
    store.close()


# ---------------------------------------------------------------- retention


def test_retention_counts_from_the_newest_of_each_device_and_spares_the_silent(path: Path) -> None:
    store = SqliteStore(path, retention_days=1.0)
    store.write(Batch([verdict(float(t)) for t in range(0, 3600, 60)]))
    store.write(Batch([verdict(0.0, device="gone")]))
    old, long_ = event("old", 100.0, 200.0, state="closed"), event("long", 100.0, DAY_S * 2.5)
    store.write(Batch(events=[old, long_]))
    store.write(Batch([verdict(2 * DAY_S), verdict(3 * DAY_S)]))
    with open_reader(path) as reader:
        past, gone = reader.history("north", "p1"), reader.history("north", "gone")
        assert past is not None
        assert gone is not None
        assert past.times.tolist() == [2 * DAY_S, 3 * DAY_S]
        assert gone.times.tolist() == [0.0]
        assert [e.id for e in reader.events()] == ["long"]
        state = reader.device("north", "p1")
        assert state is not None
        assert state.first_s == 2 * DAY_S
    store.close()


def test_retention_works_in_portions_and_catches_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomgan.adapters.sqlite.DELETED_PER_WRITE", 10)
    store = SqliteStore(path, retention_days=1.0)
    store.write(Batch([verdict(float(t)) for t in range(35)]))
    left = []
    for i in range(5):
        store.write(Batch([verdict(2 * DAY_S + i)]))
        left.append(len(dump(path)["verdict"]) - i - 1)
    assert left == [25, 15, 5, 0, 0]
    store.close()


def test_a_store_that_remembers_few_devices_writes_what_one_writes_that_remembers_all(tmp_path: Path) -> None:
    few, all_ = SqliteStore(tmp_path / "few.db", most_remembered=10), SqliteStore(tmp_path / "all.db")
    for turn in range(30):
        names = [f"p{(turn * 4 + k) % 50}" for k in range(7)]
        batch = Batch([verdict(10.0 * turn + k, 1.0 + k, name) for k, name in enumerate(names)])
        for store in (few, all_):
            store.write(batch)
        assert len(few._devices) < 10 + len(names)
        assert len(few._channels) < 10 + len(names)
    assert len(all_._devices) == 50
    few.close()
    all_.close()
    assert dump(few.path) == dump(all_.path)
