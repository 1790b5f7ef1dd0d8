"""The journal: what was appended is there after a crash, in order, once; what waits is never dropped."""

import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.adapters.journal import Journal, pack_messages, unpack_messages
from anomgan.adapters.ports import Letter, Message, Rejection, Turn
from anomgan.errors import Refused, ServerError

LIMIT = 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "journal.db"


def turn(number: int) -> Turn:
    return Turn(1000.0 + number, [Message(f"plant/p{number}", b"payload %d" % number)])


def numbers(journal: Journal) -> list[float]:
    return [one.now_s - 1000.0 for one in journal.turns()]


def test_turns_come_back_in_order_until_a_checkpoint_makes_them_needless(path: Path) -> None:
    journal = Journal(path, LIMIT)
    assert journal.snapshot() == {}
    for number in range(3):
        journal.append(turn(number), [])
    journal.close()
    again = Journal(path, LIMIT)
    assert [(one.now_s, list(one.messages)) for one in again.turns()] == [
        (1000.0 + n, [Message(f"plant/p{n}", b"payload %d" % n)]) for n in range(3)
    ]
    again.checkpoint({"fleet": b"state", "counters": b"{}"})
    again.append(turn(3), [])
    assert again.snapshot() == {"fleet": b"state", "counters": b"{}"}
    assert numbers(again) == [3]
    again.checkpoint({"fleet": b"later"})
    assert again.snapshot() == {"fleet": b"later"}
    assert numbers(again) == []
    again.close()
    again.close()


def test_letters_wait_for_their_addressee_until_they_have_arrived(path: Path) -> None:
    journal, carrier = Journal(path, LIMIT), Journal(path, LIMIT)
    journal.append(turn(0), [Letter("influx", b"a"), Letter("mqtt", b"b", "events"), Letter("influx", b"c")])
    waiting = carrier.letters("influx", 10)
    assert [letter.body for letter in waiting] == [b"a", b"c"]
    assert [(letter.body, letter.topic) for letter in carrier.letters("mqtt", 10)] == [(b"b", "events")]
    carrier.delivered(waiting[:1])
    journal.append(turn(1), [Letter("influx", b"d")])
    assert [letter.body for letter in carrier.letters("influx", 1)] == [b"c"]
    carrier.delivered(waiting[:1])  # told twice
    assert [letter.body for letter in carrier.letters("influx", 10)] == [b"c", b"d"]
    assert journal.standing().letters == 3


def test_a_number_is_never_used_twice(path: Path) -> None:
    """A carrier that says once more that a letter arrived must not take another one with it."""
    journal = Journal(path, LIMIT)
    journal.append(turn(0), [Letter("influx", b"a")])
    old = journal.letters("influx", 1)
    journal.delivered(old)
    journal.append(turn(1), [Letter("influx", b"b")])
    journal.delivered(old)
    assert [letter.body for letter in journal.letters("influx", 10)] == [b"b"]


def test_what_an_addressee_will_not_have_is_kept_with_the_reason(path: Path) -> None:
    journal = Journal(path, LIMIT)
    journal.append(turn(0), [Letter("influx", b"good\nbad"), Letter("influx", b"more")])
    (letter, _) = journal.letters("influx", 10)
    journal.quarantine([Rejection(letter, b"bad", "HTTP 400: what is this")], 5.0)
    assert [one.body for one in journal.letters("influx", 10)] == [b"more"]
    standing = journal.standing()
    assert (standing.letters, standing.quarantined, standing.bytes) == (1, 1, len(b"more") + len(b"bad"))
    assert "1 letters waiting, 1 in quarantine" in journal.check()
    journal.close()
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT addressee, body, reason, since_s FROM quarantine").fetchall()
    connection.close()
    assert rows == [("influx", b"bad", "HTTP 400: what is this", 5.0)]


def test_a_full_journal_takes_nothing_more_until_something_has_arrived(path: Path) -> None:
    journal = Journal(path, limit_bytes=10)
    journal.append(turn(0), [Letter("influx", b"x" * 10)])
    with pytest.raises(ServerError, match="10 bytes wait for delivery, which is its limit"):
        journal.append(turn(1), [Letter("influx", b"y")])
    assert numbers(journal) == [0]
    journal.append(turn(2), [])  # nothing follows from it
    journal.delivered(journal.letters("influx", 1))
    journal.append(turn(3), [Letter("influx", b"z")])
    assert numbers(journal) == [0, 2, 3]
    assert journal.standing().bytes == 1


def test_a_disk_that_has_no_room_to_forget_letters_is_full_already(path: Path) -> None:
    journal = Journal(path, LIMIT)
    journal.require_room()
    cramped = Journal(path, LIMIT, room_bytes=10**18)
    with pytest.raises(ServerError, match=r"journal .*journal\.db: the disk is full but for [0-9,]+ bytes"):
        cramped.require_room()
    cramped.append(turn(0), [])  # what it has begun it may still end
    assert numbers(journal) == [0]


def test_a_process_that_is_killed_leaves_what_it_had_appended(path: Path) -> None:
    script = f"""
import os, signal
from anomgan.adapters.journal import Journal
from anomgan.adapters.ports import Letter, Message, Turn
journal = Journal({str(path)!r}, {LIMIT})
for number in range(5):
    journal.append(Turn(1000.0 + number, [Message("t", b"p")]), [Letter("influx", b"x")])
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    journal = Journal(path, LIMIT)
    assert numbers(journal) == [0, 1, 2, 3, 4]
    assert journal.standing().letters == 5


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE somebody_elses (data)")
    connection.close()


def newer(path: Path) -> None:
    journal = Journal(path, LIMIT)
    journal.check()
    journal.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (foreign, "SQLite file of another program"),
        (newer, r"newer anomgan \(schema 9"),
        (lambda path: path.write_bytes(b"no database at all " * 99), "not an SQLite file"),
        (lambda path: path.mkdir(), "cannot be opened"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_by_name(tmp_path: Path, spoil: object, message: str) -> None:
    path = tmp_path / "journal.db"
    assert callable(spoil)
    spoil(path)
    with pytest.raises(ServerError, match=rf"journal .*journal\.db: .*{message}"):
        Journal(path, LIMIT).check()


def test_a_damaged_turn_is_refused_by_its_number(path: Path) -> None:
    journal = Journal(path, LIMIT)
    journal.append(turn(0), [])
    journal.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE turn SET messages = substr(messages, 1, 9)")
    connection.commit()
    connection.close()
    with pytest.raises(Refused, match="turn 1 is damaged"):
        list(Journal(path, LIMIT).turns())


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE snapshot SET content = x'737461746f' WHERE name = 'fleet'",
        "UPDATE snapshot SET content = 'stato' WHERE name = 'fleet'",
        "UPDATE snapshot SET name = 'other' WHERE name = 'fleet'",
        "UPDATE snapshot SET content = zeroblob(32) WHERE name = 'check'",
        "DELETE FROM snapshot WHERE name = 'counters'",
        "INSERT INTO snapshot VALUES ('more', x'00')",
    ],
)
def test_a_state_that_is_not_as_it_was_written_is_refused_by_the_file_s_name(path: Path, spoil: str) -> None:
    journal = Journal(path, 10**6)
    journal.checkpoint({"fleet": b"state", "counters": b"{}"})
    assert journal.snapshot() == {"fleet": b"state", "counters": b"{}"}
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(spoil)
        connection.commit()
    with (
        closing(Journal(path, 10**6)) as again,
        pytest.raises(Refused, match=r"journal .*: the state in it is damag"),
    ):
        again.snapshot()


def test_a_journal_of_the_first_version_is_brought_up_to_date_with_all_it_holds(path: Path) -> None:
    journal = Journal(path, LIMIT)
    journal.append(turn(0), [Letter("mqtt", b"told", "events")])
    journal.checkpoint({"fleet/stream": b"state"})
    journal.append(turn(1), [])
    journal.close()
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP TABLE subscription; ALTER TABLE letter DROP COLUMN retain; ALTER TABLE turn DROP COLUMN away; "
        "PRAGMA user_version = 1;"
    )
    connection.close()
    again = Journal(path, LIMIT)
    assert again.snapshot() == {"fleet/stream": b"state"}
    assert [list(one.messages) for one in again.turns()] == [[Message("plant/p1", b"payload 1")]]
    assert [letter.body for letter in again.letters("mqtt", 9)] == [b"told"]
    assert again.subscriptions("a session") == []
    again.remember_subscriptions("a session", ["x"])
    again.append(turn(2), [Letter("mqtt", b"b", "config", retain=True)])
    assert [(one.body, one.retain) for one in again.letters("mqtt", 9)] == [(b"told", False), (b"b", True)]
    again.close()


def test_what_a_session_holds_is_remembered_until_something_else_is(path: Path) -> None:
    journal = Journal(path, LIMIT)
    journal.remember_subscriptions("a@host:1883", ["plant/#", "old/+", "old/+"])
    journal.remember_subscriptions("b@host:1883", ["other/#"])
    journal.close()
    again = Journal(path, LIMIT)
    assert again.subscriptions("a@host:1883") == ["old/+", "plant/#"]
    again.remember_subscriptions("a@host:1883", ["plant/#"])
    assert again.subscriptions("a@host:1883") == ["plant/#"]
    assert again.subscriptions("b@host:1883") == ["other/#"]
    assert again.subscriptions("c@host:1883") == []
    again.close()


def test_letters_that_nobody_carries_are_known_by_their_addressee(path: Path) -> None:
    journal = Journal(path, LIMIT)
    journal.append(turn(0), [Letter("influx", b"1"), Letter("mqtt:north", b"2"), Letter("mqtt:north", b"3")])
    assert journal.standing().waiting == {"influx": 1, "mqtt:north": 2}
    journal.close()


def test_messages_of_the_first_version_are_read_and_those_of_one_broker_written_as_they_were() -> None:
    first_version = b"\x03\x00\x02\x00\x00\x00\x01a/bhi" + b"\x01\x00\x00\x00\x00\x00\x00c"
    messages = [Message("a/b", b"hi", None, retained=True), Message("c", b"")]
    assert unpack_messages(first_version) == messages
    assert pack_messages(Turn(0.0, messages)) == first_version


topics = st.text(st.characters(exclude_characters="\0"), max_size=20)
names = st.just("") | st.from_regex("[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)


@given(st.lists(st.tuples(topics, st.binary(max_size=50), st.booleans(), names), max_size=10))
def test_messages_come_back_as_they_were(sent: list[tuple[str, bytes, bool, str]]) -> None:
    messages = [
        Message(topic.encode("utf-8", "replace").decode(), body, None, kept, broker)
        for topic, body, kept, broker in sent
    ]
    packed = pack_messages(Turn(0.0, messages))
    assert unpack_messages(packed) == messages
    for cut in range(1, len(packed)):
        try:
            found = unpack_messages(packed[:cut])
        except (struct.error, UnicodeDecodeError, IndexError):
            continue
        assert found == messages[: len(found)]  # it was cut between two messages


def test_which_brokers_were_away_is_part_of_a_turn_and_unknown_of_turns_of_the_third_version(path: Path) -> None:
    journal = Journal(path, LIMIT)
    journal.append(turn(0), [])
    journal.append(replace(turn(1), away=("", "north")), [])
    assert [one.away for one in journal.turns()] == [(), ("", "north")]
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("ALTER TABLE turn DROP COLUMN away; PRAGMA user_version = 3;")
    again = Journal(path, LIMIT)
    assert [(one.now_s, one.away) for one in again.turns()] == [(1000.0, ()), (1001.0, ())]
    again.append(replace(turn(2), away=("south",)), [])
    assert [one.away for one in again.turns()] == [(), (), ("south",)]
    again.close()


@pytest.mark.parametrize("damaged", ["", "[", "{}", "[1]", "null", '"north"'])
def test_a_turn_whose_absent_brokers_cannot_be_read_is_refused(path: Path, damaged: str) -> None:
    with closing(Journal(path, LIMIT)) as journal:
        journal.append(turn(0), [])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE turn SET away = ?", (damaged,))
    with closing(Journal(path, LIMIT)) as again, pytest.raises(Refused, match="turn 1 is damaged"):
        list(again.turns())


def test_letters_without_a_turn_are_not_held_back_by_the_limit(path: Path) -> None:
    journal = Journal(path, limit_bytes=1)
    journal.append(turn(0), [Letter("influx", b"x" * 10)])
    journal.post([Letter("notify", b"the journal is full"), Letter("influx", b"more")])
    assert journal.standing().waiting == {"influx": 2, "notify": 1}
    assert numbers(journal) == [0]
