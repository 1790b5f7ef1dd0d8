"""What an operator sees of a journal, and does about what was refused, from another process while a service uses it.

Looking leaves the file as it is and keeps no lock, so that nobody who reads slowly holds up the service. `retry` and
`drop` are one transaction each: durable when they return, and where they do not, nothing has happened.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomgan.adapters.journal import ROOM_BYTES
from anomgan.adapters.journal_file import CHECK, changing, free_bytes, kept_bytes, looking
from anomgan.errors import DataError, ServerError, Unreachable

PAGE = 200
"""parts read at once"""
MOST_NAMED = 5
WITH_TOPICS = (
    "SELECT number, addressee, topic, body, reason, since_s FROM chosen JOIN quarantine USING (number) "
    "WHERE number > ? ORDER BY number LIMIT ?"
)
WITHOUT_TOPICS = WITH_TOPICS.replace(" topic,", " '',")
"""of a journal that no service of this version has written to yet"""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which parts of the quarantine: those with these numbers, or all; only one addressee's where one is named."""

    numbers: Sequence[int] = ()
    addressee: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Letters that wait for an addressee."""

    addressee: str
    letters: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Refusals:
    """What an addressee refused for one reason, the first of it at `since_s`."""

    addressee: str
    reason: str
    parts: int
    bytes: int
    since_s: float


@dataclass(frozen=True, slots=True)
class Overview:
    """How a journal stands; `bytes` counts letters and quarantine, which the limit is for.

    `turns` were kept since the last snapshot, the first of them at `turns_since_s`.
    """

    bytes: int
    file_bytes: int
    snapshot_bytes: int
    turns: int
    turns_since_s: float | None
    waiting: Sequence[Waiting]
    refused: Sequence[Refusals]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a letter in quarantine."""

    number: int
    addressee: str
    topic: str
    body: bytes
    reason: str
    since_s: float


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of what an addressee refused was chosen."""

    addressee: str
    parts: int
    bytes: int


def overview(path: Path) -> Overview:
    """Look at a journal, at one moment; raises Unreachable or Refused where there is none that can be read."""
    with looking(path) as connection:
        connection.execute("BEGIN")
        turns, since_s = connection.execute("SELECT count(*), min(now_s) FROM turn").fetchone()
        sizes = "SELECT coalesce(sum(length(content)), 0) FROM snapshot WHERE name <> ?"
        snapshot_bytes = connection.execute(sizes, (CHECK,)).fetchone()[0]
        waiting = connection.execute(
            "SELECT addressee, count(*), sum(length(body)) FROM letter GROUP BY addressee ORDER BY addressee"
        ).fetchall()
        refused = connection.execute(
            "SELECT addressee, reason, count(*) AS parts, sum(length(body)), min(since_s) FROM quarantine "
            "GROUP BY addressee, reason ORDER BY addressee, parts DESC, min(number)"
        ).fetchall()
        kept = kept_bytes(connection)
        return Overview(
            bytes=kept,
            file_bytes=_file_bytes(path),
            snapshot_bytes=snapshot_bytes,
            turns=turns,
            turns_since_s=since_s,
            waiting=[Waiting(*row) for row in waiting],
            refused=[Refusals(*row) for row in refused],
        )


def chosen(path: Path, choice: Choice) -> list[Amount]:
    """How much a choice is, of each addressee's; raises as `quarantined` does."""
    with looking(path) as connection:
        return _choose(connection, path, choice)


def quarantined(path: Path, choice: Choice) -> Iterator[Part]:
    """The chosen parts in their order; DataError where one of them is not there. Raises as `overview` does."""
    with looking(path) as connection:
        _choose(connection, path, choice)
        columns = {row[0] for row in connection.execute("SELECT name FROM pragma_table_info('quarantine')")}
        statement = WITH_TOPICS if "topic" in columns else WITHOUT_TOPICS
        after = -1
        while rows := connection.execute(statement, (after, PAGE)).fetchall():
            yield from (Part(*row) for row in rows)
            after = rows[-1][0]


def retry(path: Path, choice: Choice, room_bytes: int = ROOM_BYTES) -> list[Amount]:
    """Make letters of the chosen parts again, behind all that wait, in the order in which they were refused.

    Raises DataError where one of them is not there, ServerError where the disk has too little room to move them.
    """
    with changing(path) as connection:
        moved = _choose(connection, path, choice)
        needed = 2 * sum(one.bytes for one in moved) + room_bytes  # in the file and in SQLite's log beside it
        left = free_bytes(path)
        if moved and left < needed:
            raise ServerError(
                f"journal {path}: that takes {needed:,} bytes of room, and the disk has {left:,} left; "
                "retry fewer at once, by their numbers"
            )
        connection.execute(
            "INSERT INTO letter (addressee, topic, body, retain) "
            "SELECT addressee, topic, body, retain FROM chosen JOIN quarantine USING (number) ORDER BY number"
        )
        connection.execute("DELETE FROM quarantine WHERE number IN chosen")
        return moved


def drop(path: Path, choice: Choice) -> list[Amount]:
    """Delete the chosen parts; DataError where one of them is not there."""
    with changing(path) as connection:
        moved = _choose(connection, path, choice)
        connection.execute("DELETE FROM quarantine WHERE number IN chosen")
        return moved


def _choose(connection: sqlite3.Connection, path: Path, choice: Choice) -> list[Amount]:
    """Put the numbers into a table of this connection's own, `chosen`; how much that is of each addressee's.

    DataError where a number or an addressee has nothing in quarantine.
    """
    connection.execute("CREATE TEMP TABLE chosen (number INTEGER PRIMARY KEY)")
    connection.execute(
        "INSERT INTO chosen SELECT number FROM quarantine "
        "WHERE (:every OR number IN (SELECT value FROM json_each(:numbers))) AND :addressee IN ('', addressee)",
        {"every": not choice.numbers, "numbers": json.dumps(choice.numbers), "addressee": choice.addressee},
    )
    there = {row[0] for row in connection.execute("SELECT number FROM chosen")}
    missing = [str(number) for number in dict.fromkeys(choice.numbers) if number not in there]
    if missing:
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        whose = f" of what {choice.addressee} refused" if choice.addressee else ""
        raise DataError(f"journal {path}: no number {', '.join(missing[:MOST_NAMED])}{more} in quarantine{whose}")
    if choice.addressee and not there:
        raise DataError(f"journal {path}: nothing that {choice.addressee} refused is in quarantine")
    found = connection.execute(
        "SELECT addressee, count(*), sum(length(body)) FROM chosen JOIN quarantine USING (number) "
        "GROUP BY addressee ORDER BY addressee"
    )
    return [Amount(*row) for row in found]


def _file_bytes(path: Path) -> int:
    """What the file takes, with SQLite's log beside it."""
    log = path.with_name(path.name + "-wal")
    try:
        return path.stat().st_size + (log.stat().st_size if log.exists() else 0)
    except OSError as error:
        raise Unreachable(f"journal {path}: {error.strerror}") from None
