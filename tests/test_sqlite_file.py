"""The embedded store where something is wrong: with the file, the disk, another process, or a name."""

import sqlite3
from pathlib import Path

import pytest
from store_records import OF_SCHEMA_2, drop_all_but, dump, event, verdict

from anomgan.adapters.ports import AuditEntry, Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.sqlite_file import SCHEMA_VERSION
from anomgan.adapters.sqlite_read import open_reader
from anomgan.errors import Refused, ServerError, Unreachable

FORMER_COLUMNS = "state, start_s, end_s, peak, peak_s, severity, threshold, model, reason, channels"
"""of events, before schema 3"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "store.db"


def test_a_store_can_be_read_while_it_is_written_and_after_it_is_closed(path: Path) -> None:
    with pytest.raises(Unreachable, match=r"store\.db: no such file"), open_reader(path):
        pass
    store = SqliteStore(path)
    store.check()
    with open_reader(path) as reader:
        assert reader.fleet() == []
        store.write(Batch([verdict(1.0)]))
        assert reader.fleet() == []  # one moment of the store
    with open_reader(path) as reader:
        assert len(reader.fleet()) == 1
    store.close()
    store.close()
    with open_reader(path) as reader:
        assert len(reader.fleet()) == 1
        assert reader.issues() == []


def test_check_says_what_is_there(path: Path) -> None:
    store = SqliteStore(path)
    assert store.check() == f"store {path}: 0 devices, 0 events, no verdicts yet"
    store.write(Batch([verdict(0.0)], [event()]))
    assert store.check() == f"store {path}: 1 devices, 1 events"
    store.close()


def test_a_reader_cannot_write(path: Path) -> None:
    store = SqliteStore(path)
    store.check()
    with pytest.raises(Refused, match="may not be written"), open_reader(path) as reader:
        reader._connection.execute("DELETE FROM meta")
    store.close()


def test_a_store_of_the_first_schema_is_brought_up_to_date_and_keeps_its_rows(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0), verdict(2.0)]))
    now = dump(path)
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE verdict RENAME COLUMN pattern TO neighbour")
    drop_all_but(connection, OF_SCHEMA_2)
    connection.execute("DROP TABLE event")
    connection.execute(f"CREATE TABLE event (id TEXT PRIMARY KEY, device_id, {FORMER_COLUMNS})")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(Unreachable, match=r"older schema; the detector service"), open_reader(path):
        pass
    store = SqliteStore(path)
    store.check()
    store.close()
    assert dump(path) == {**now, "judged": []}  # that was not counted
    with open_reader(path) as reader:
        assert len(reader.fleet()) == 1


def test_a_store_of_the_second_schema_gets_room_for_what_people_say(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0)], [event()]))
    store.close()
    connection = sqlite3.connect(path)
    row = connection.execute("SELECT * FROM event").fetchone()[:12]
    connection.execute("DROP TABLE event")
    connection.execute(f"CREATE TABLE event (id TEXT PRIMARY KEY, device_id, {FORMER_COLUMNS})")
    connection.execute(f"INSERT INTO event VALUES ({', '.join('?' * 12)})", row)  # noqa: S608 a constant
    connection.commit()
    drop_all_but(connection, OF_SCHEMA_2)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    entry = AuditEntry(1.0, 1, "ada", "feedback", "e1", "{}")
    store = SqliteStore(path)
    store.write(
        Batch([], [event("e2", note="muted until then", part_of="e3", members=7, state="muted")], audit=[entry])
    )
    store.write(Batch(audit=[entry]))
    store.close()
    with open_reader(path) as reader:
        found = {one.id: (one.state, one.note, one.part_of, one.members) for one in reader.events()}
        assert found == {"e1": ("open", "", "", 0), "e2": ("muted", "muted until then", "e3", 7)}
        assert reader.audit() == [entry]


def test_the_name_of_fleet_wide_events_is_no_device(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0)], [event(device="fleet:pump"), event("e2")]))
    store.close()
    with open_reader(path) as reader:
        assert [one.device for one in reader.fleet()] == ["p1"]
        assert reader.summary().devices == 1
        assert len(reader.events()) == 2


def foreign_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE somebody_elses (data)")
    connection.commit()
    connection.close()


def newer_store(path: Path) -> None:
    store = SqliteStore(path)
    store.check()
    store.close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.commit()
    connection.close()


def text_file(path: Path) -> None:
    path.write_text("time,flow,pressure\n" * 500)


def damaged_store(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(float(t)) for t in range(2000)]))
    store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


@pytest.mark.parametrize(
    ("make", "meaning"),
    [
        (foreign_database, "another program"),
        (newer_store, f"newer anomgan .schema {SCHEMA_VERSION + 1}"),
        (text_file, "not an SQLite file"),
        (damaged_store, "damaged"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_left_alone(tmp_path: Path, make: object, meaning: str) -> None:
    path = tmp_path / "wrong.db"
    make(path)  # type: ignore[operator]
    before = path.read_bytes()
    store = SqliteStore(path)
    with pytest.raises(Refused, match=rf"wrong\.db: .*{meaning}"):
        store.check()
    store.close()
    with pytest.raises(Refused, match=rf"wrong\.db: .*{meaning}"), open_reader(path) as reader:
        reader.fleet()
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(Unreachable, match="nothing written yet"), open_reader(path):
        pass
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0)]))
    store.close()
    with open_reader(path) as reader:
        assert len(reader.fleet()) == 1


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="cannot be opened"):
        SqliteStore(tmp_path).check()
    (tmp_path / "file").touch()
    with pytest.raises(Unreachable, match="cannot make its folder"):
        SqliteStore(tmp_path / "file" / "store.db").check()


def test_a_locked_store_raises_and_nothing_counts_as_written(path: Path) -> None:
    store = SqliteStore(path, busy_timeout_s=0.01)
    store.write(Batch([verdict(1.0)]))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    before = dump(path)
    with pytest.raises(ServerError, match=r"store\.db: locked by another process"):
        store.write(Batch([verdict(2.0)], [event()], {"n": 1}))
    other.execute("ROLLBACK")
    other.close()
    assert dump(path) == before
    store.write(Batch([verdict(2.0)]))
    assert len(dump(path)["verdict"]) == 2
    store.close()


def test_a_full_disk_raises_and_the_same_batch_can_be_written_later(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0)]))
    before = dump(path)
    pages = store._open().execute("PRAGMA page_count").fetchone()[0]
    store._open().execute(f"PRAGMA max_page_count = {pages}")
    batch = Batch([verdict(float(t), 4.0, device=f"p{t % 7}") for t in range(2, 3000)], [event()])
    with pytest.raises(ServerError, match=r"store\.db: the disk is full"):
        store.write(batch)
    assert dump(path) == before
    store._open().execute("PRAGMA max_page_count = 1000000")
    store.write(batch)
    after = dump(path)
    assert (len(after["verdict"]), len(after["event"]), len(after["device"])) == (2999, 1, 7)
    store.close()


def test_two_writers_do_not_lose_each_others_devices(path: Path) -> None:
    one, two = SqliteStore(path), SqliteStore(path)
    one.write(Batch([verdict(1.0, device="a")]))
    two.write(Batch([verdict(5.0, device="a"), verdict(5.0, device="b")]))
    one.write(Batch([verdict(3.0, device="a"), verdict(3.0, device="b")]))
    with open_reader(path) as reader:
        assert {(s.device, s.time_s, s.first_s) for s in reader.fleet()} == {("a", 5.0, 1.0), ("b", 5.0, 3.0)}
    one.close()
    two.close()


HOSTILE = ["<script>alert(1)</script>", "'; DROP TABLE verdict; --", "a\x00b", "zigbee/🌡/x", "", " ", "x" * 10_000]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_only_a_name(path: Path, name: str) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0, device=name, channels=(name, "b"))], [event(name, device=name)]))
    with open_reader(path) as reader:
        past = reader.history("north", name)
        assert past is not None
        assert past.channels == (name, "b")
        assert [s.device for s in reader.fleet()] == [name]
        assert [e.id for e in reader.events(source=("north", name))] == [name]
    store.close()


def test_half_a_surrogate_pair_is_refused_and_nothing_is_written(path: Path) -> None:
    store = SqliteStore(path)
    store.write(Batch([verdict(1.0)]))
    with pytest.raises(Refused, match="cannot be stored"):
        store.write(Batch([verdict(2.0), verdict(2.0, device="\ud800")]))
    assert len(dump(path)["verdict"]) == 1
    store.close()
