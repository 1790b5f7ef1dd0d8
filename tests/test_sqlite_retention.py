"""What the embedded store lets go of: devices that never come back, old events of many at once; nothing too early."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_records import NAN, dump, event, health, issue, make_older, verdict

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.sqlite_read import open_reader
from anomgan.adapters.sqlite_retention import LOOK_EVERY_S
from anomgan.errors import ServerError

DAY_S, NOW = 86_400.0, 1.7e9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def goes_on(store: SqliteStore, from_s: float, seconds: float, step_s: float = 1800.0, device: str = "here") -> float:
    """Batches of one device; the time of the last."""
    for _ in range(round(seconds / step_s)):
        from_s += step_s
        store.write(Batch([verdict(from_s, device=device)], now_s=from_s))
    return from_s


def devices(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT device FROM device")}


def test_all_of_a_device_goes_that_is_not_heard_for_the_retention_and_is_counted(path: Path) -> None:
    store = SqliteStore(path, retention_days=1.0)
    store.write(
        Batch(
            [verdict(NOW + t, device="gone", band=np.zeros((2, 4))) for t in range(30)],
            [event("e", device="gone"), event("f", device="gone", state="closed")],
            issues=[issue(device="gone")],
            health=[health(NOW, device="gone")],
            now_s=NOW,
        )
    )
    now_s = goes_on(store, NOW, 0.97 * DAY_S)
    assert devices(path) == {"gone", "here"}
    assert len(dump(path)["event"]) == 2
    now_s = goes_on(store, now_s, 0.1 * DAY_S)
    assert devices(path) == {"here"}
    left = dump(path)
    tables = ("event", "channels", "health", "issue", "band", "heard", "device")
    assert [len(left[table]) for table in tables] == [0, 1, 0, 0, 0, 1, 1]
    assert store.outlived["outlived.devices"] == 1
    assert store.outlived["outlived.events"] == 2
    assert store.outlived["outlived.verdicts"] >= 30
    store.write(Batch([verdict(now_s, device="gone"), verdict(now_s, device="new")], now_s=now_s))
    with open_reader(path) as reader:
        for name in ("gone", "new"):
            past = reader.history("north", name)
            assert past is not None
            assert (past.times.tolist(), past.channels) == ([now_s], ("flow", "pressure"))
    store.close()


def test_time_in_which_nothing_was_written_or_a_clock_was_set_lets_nobody_go(path: Path) -> None:
    for step_s in (100 * DAY_S, -200 * DAY_S, 300 * DAY_S):
        store = SqliteStore(path, retention_days=1.0)
        store.write(Batch([verdict(NOW, device="gone")], now_s=NOW))
        goes_on(store, NOW + step_s, 3600.0)
        assert devices(path) == {"gone", "here"}
        store.close()


def test_a_device_without_verdicts_goes_too_and_one_of_which_only_health_is_told_stays_while_it_speaks(
    path: Path,
) -> None:
    store, now_s = SqliteStore(path, retention_days=0.5), NOW
    for turn in range(30):
        now_s += 1800.0
        told = [health(now_s, device="speaks", silent_s=1.0)]
        if turn <= 22:
            told += [health(now_s, device="silent", silent_s=60.0 + 1800.0 * turn)]
            told += [health(now_s, device="never", silent_s=NAN)]
        store.write(Batch(health=told, now_s=now_s))
        if turn == 22:
            assert devices(path) == {"speaks", "silent", "never"}
    assert devices(path) == {"speaks"}
    store.close()


def test_a_device_that_is_gone_does_not_come_back_by_its_silence_but_by_what_it_sends(path: Path) -> None:
    store = SqliteStore(path, retention_days=0.5)
    store.write(Batch([verdict(NOW, device="gone")], issues=[issue(device="gone")], now_s=NOW))
    now_s = goes_on(store, NOW, 0.6 * DAY_S)
    assert devices(path) == {"here"}
    silent, closed = health(now_s, device="gone", silent_s=now_s - NOW), issue(device="gone", state="closed")
    for late in (Batch(health=[silent], now_s=now_s), Batch(issues=[closed], now_s=now_s)):
        store.write(late)  # the service forgets it later than the store
        assert devices(path) == {"here"}
        assert len(dump(path)["issue"]) == 0
    heard = health(now_s, device="gone", silent_s=1.0)
    store.write(Batch(health=[heard], issues=[closed], now_s=now_s))
    assert devices(path) == {"here", "gone"}
    assert len(dump(path)["issue"]) == 1
    store.close()


def test_what_opens_and_closes_in_one_batch_makes_a_device_known_and_is_closed(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch(issues=[issue(device="new"), issue(device="new", state="closed")], now_s=NOW))
    store.close()
    with open_reader(path) as reader:
        assert [one.state for one in reader.issues(only_open=False)] == ["closed"]


def test_a_device_that_comes_back_while_its_past_is_deleted_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomgan.adapters.sqlite.DELETED_PER_WRITE", 10)
    store = SqliteStore(path, retention_days=0.1)
    store.write(Batch([verdict(NOW + t, device="gone") for t in range(35)], now_s=NOW))
    now_s = NOW
    while len(dump(path)["verdict"]) > 20:
        now_s += 1800.0
        store.write(Batch(health=[health(now_s)], now_s=now_s))
    for t in range(10):
        now_s = goes_on(store, now_s, 60.0, 60.0, device="gone")
        assert "gone" in devices(path), t
    with open_reader(path) as reader:
        past = reader.history("north", "gone")
        assert past is not None
        assert past.times[-1] == now_s
        state = reader.device("north", "gone")
        assert state is not None
        assert state.first_s == past.times[0]
    store.close()


def test_a_device_of_an_older_store_is_let_go_of_too_and_counts_from_now_on(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0, device="old"), verdict(1.0, device="told")], health=[health(NOW, device="told")]))
    store.close()
    make_older(path)
    store = SqliteStore(path, retention_days=0.5)
    now_s = goes_on(store, NOW, 0.4 * DAY_S)
    assert devices(path) == {"old", "told", "here"}
    goes_on(store, now_s, 0.3 * DAY_S)
    assert devices(path) == {"here"}
    store.close()


def test_events_of_many_devices_at_once_go_by_their_age(path: Path) -> None:
    store = SqliteStore(path, retention_days=1.0)
    for day in range(20):
        at_s = NOW + day * DAY_S
        many = event(f"m{day}", at_s, at_s + 60.0, device="fleet:pump", state="closed", members=7)
        store.write(Batch(events=[many], now_s=at_s))
    assert [row[0] for row in dump(path)["event"]] == ["m18", "m19"]
    assert store.outlived["outlived.events"] == 18
    store.close()


def test_what_is_to_go_goes_in_portions_also_over_a_failed_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomgan.adapters.sqlite.DELETED_PER_WRITE", 10)
    store = SqliteStore(path, retention_days=0.1)
    store.write(Batch([verdict(NOW + t, device="gone") for t in range(35)], now_s=NOW))
    now_s, left = NOW, []
    for turn in range(16):
        now_s += 1800.0
        if turn == 8:
            with pytest.raises(ServerError):
                store.write(Batch([verdict(now_s, device="half \ud800 a pair")], now_s=now_s))
        store.write(Batch([verdict(now_s)], now_s=now_s))
        left.append(sum(row[1] < NOW + 1000.0 for row in dump(path)["verdict"]))  # type: ignore[operator]  # a time
    assert max(before - after for before, after in pairwise(left)) <= 10
    assert (left[0], left[-1]) == (35, 0)
    assert devices(path) == {"p1"}
    assert store.outlived["outlived.verdicts"] == 35 + 16 - sum(row[1] > NOW + 1000.0 for row in dump(path)["verdict"])  # type: ignore[operator]  # a time
    store.close()


@given(st.lists(st.tuples(st.integers(1, 5), st.sets(st.sampled_from("abcde"), max_size=3)), max_size=40))
@settings(max_examples=15, deadline=None)
def test_it_keeps_the_devices_that_a_naive_list_keeps(
    tmp_path_factory: pytest.TempPathFactory, turns: Iterable[tuple[int, set[str]]]
) -> None:
    path = tmp_path_factory.mktemp("stores") / "store.db"
    store, now_s, heard = SqliteStore(path, retention_days=10 * LOOK_EVERY_S / DAY_S), NOW, dict[str, float]()
    listened_s = due_s = 0.0
    for number, (hours, names) in enumerate(turns):
        now_s += hours * LOOK_EVERY_S
        listened_s += LOOK_EVERY_S if number else 0.0
        store.write(Batch([verdict(now_s, device=name) for name in sorted(names)], now_s=now_s))
        heard.update(dict.fromkeys(names, listened_s))
        if listened_s >= due_s:
            due_s = listened_s + LOOK_EVERY_S
            heard = {name: at_s for name, at_s in heard.items() if at_s >= listened_s - 10 * LOOK_EVERY_S}
        assert devices(path) == set(heard)
    store.close()


def test_counts_are_of_what_is_committed(path: Path) -> None:
    store = SqliteStore(path, retention_days=1.0)
    store.write(Batch([verdict(0.0), verdict(1.0)], now_s=NOW))
    with pytest.raises(ServerError):
        store.write(Batch([verdict(3 * DAY_S)], [event(device="\ud800")], now_s=NOW))
    assert store.outlived == Counter()
    store.write(Batch([verdict(3 * DAY_S)], now_s=NOW))
    assert store.outlived == Counter({"outlived.verdicts": 2})
    store.close()


def test_beyond_what_is_remembered_only_the_longest_unused_is_read_again(path: Path) -> None:
    store = SqliteStore(path, most_remembered=10)
    store.write(Batch([verdict(0.0, device=f"d{number}") for number in range(10)]))
    store.write(Batch([verdict(1.0, device="d0")]))
    store.write(Batch([verdict(1.0, device="new")]))
    assert [device for _, device in store._devices] == [*(f"d{number}" for number in range(2, 10)), "d0", "new"]
    assert len(store._channels) == 10
    store.close()
