"""Data quality in the stores: told twice it stands once, and what is not told as open any more is not open."""

from pathlib import Path

import pytest
from store_records import NAN, dump, health, issue, verdict

from anomgan.adapters.memory import MemoryStore
from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.sqlite_read import open_reader
from anomgan_dashboard.answers import answer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def test_what_is_written_is_read_back(path: Path) -> None:
    store, memory = SqliteStore(path), MemoryStore()
    told = issue()
    batch = Batch(issues=[told], health=[health(120.0, told)])
    for each in (store, memory):
        each.write(batch)
    with open_reader(path) as reader:
        assert reader.issues() == reader.issues(("north", "p1")) == [told]
        assert reader.health("north", "p1") == [health(120.0, told)]
        assert reader.issues(("south", "p1")) == reader.health("south", "p1") == []
    assert (list(memory.issues.values()), list(memory.health.values())) == ([told], [health(120.0, told)])
    store.close()


def test_writing_a_batch_again_changes_nothing_and_a_later_one_overwrites(path: Path) -> None:
    store = SqliteStore(path)
    told = issue()
    batch = Batch([verdict(1.0)], issues=[told], health=[health(120.0, told)])
    store.write(batch)
    before = dump(path)
    store.write(batch)
    assert dump(path) == before
    closed = issue(state="closed", end_s=200.0, reason="flow stood at 3")
    store.write(Batch(issues=[closed], health=[health(210.0, silent_s=NAN)]))
    with open_reader(path) as reader:
        assert reader.issues() == []
        assert reader.issues(only_open=False) == [closed]
        (now,) = reader.health("north", "p1")
        assert (now.time_s, now.stuck, now.issues) == (210.0, 0, ())
        assert now.silent_s != now.silent_s
    store.close()


def test_an_issue_that_a_service_which_began_anew_does_not_know_is_closed(path: Path) -> None:
    store = SqliteStore(path)
    forgotten, other = issue(1.0), issue(2.0, id="other", model="other model")
    store.write(Batch(issues=[forgotten, other]))
    store.write(Batch(health=[health(50.0)]))
    with open_reader(path) as reader:
        assert reader.issues() == [other]
    store.close()


def test_old_issues_are_forgotten_with_their_device_s_old_verdicts(path: Path) -> None:
    store = SqliteStore(path, retention_days=1.0)
    open_one = issue(3.0, id="open")
    store.write(Batch([verdict(10.0)], issues=[issue(2.0, state="closed"), open_one]))
    store.write(Batch([verdict(10.0 + 3 * 86_400.0)]))
    with open_reader(path) as reader:
        assert reader.issues(only_open=False) == [open_one]
    store.close()


def test_the_page_is_told_what_is_wrong_with_a_device(path: Path) -> None:
    store = SqliteStore(path)
    told = issue()
    store.write(Batch([verdict(1.0), verdict(1.0, device="p2")]))
    first = answer("fleet", {}, path, 0.0)
    store.write(Batch(issues=[told], health=[health(120.0, told)]))
    since = {"since": str(first["revision"]), "store": first["store"]}
    (changed,) = answer("fleet", since, path, 0.0)["devices"]
    expected = [{"kind": "stuck", "channel": "flow", "since_s": 100.5, "reason": told.reason}]
    assert (changed["device"], changed["health"]) == ("p1", expected)
    assert answer("device", {"site": "north", "device": "p1"}, path, 0.0)["device"]["health"] == expected
    assert answer("device", {"site": "north", "device": "p2"}, path, 0.0)["device"]["health"] == []
    store.close()
