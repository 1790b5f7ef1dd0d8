"""What the detector service may not forget, in one SQLite file: its state, the turns since, and letters to deliver.

A turn is appended together with the letters that follow from it, in one transaction that is durable when it returns,
and only then are its messages acknowledged. After a crash, the last snapshot and the turns after it, made again in
their order, give the state as it was; a message that the broker then sends again is an old one to that state.

Letters wait until whoever carries them has heard that they arrived. When they fill the limit, nothing more is appended,
so nothing more is acknowledged: the broker keeps what it has, and nothing is dropped here. The same happens while the
disk has less than `ROOM_BYTES` left, for SQLite needs room to forget letters, too: a disk that letters had filled to
the last byte would stay full when their addressee is back.
"""

import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from io import BufferedWriter
from pathlib import Path

import orjson

from anomgan.adapters.journal_file import BUSY_TIMEOUT_S, CHECK, JOURNAL, free_bytes, kept_bytes, transaction
from anomgan.adapters.ports import Letter, Message, Rejection, Turn
from anomgan.adapters.sqlite_kind import connect_writer, plain_errors
from anomgan.errors import Refused, ServerError

ROOM_BYTES = 32_000_000
_HEAD = struct.Struct("<HIB")
_RETAINED, _BROKER = 1, 2


@dataclass(frozen=True, slots=True)
class Standing:
    """How much the journal holds."""

    letters: int
    quarantined: int
    bytes: int
    waiting: Mapping[str, int] = field(default_factory=dict)
    """letters by addressee"""


class Journal:
    """A connection to the file; a second one, of another thread or process, may carry letters meanwhile."""

    def __init__(self, path: Path | str, limit_bytes: int, room_bytes: int = ROOM_BYTES) -> None:
        self.path = Path(path)
        self.limit_bytes = limit_bytes
        self.room_bytes = room_bytes
        self._connection: sqlite3.Connection | None = None
        self._lock: BufferedWriter | None = None

    def check(self) -> str:
        """Open it and say in one line what is there; raises Refused or Unreachable."""
        standing = self.standing()
        return f"journal {self.path}: {standing.letters} letters waiting, {standing.quarantined} in quarantine"

    def claim(self) -> None:
        """Be the one that makes turns, until `close` or the end of the process; Refused where another one is."""
        self._open()
        lock = self.path.with_name(self.path.name + ".lock").open("ab")
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise Refused(f"journal {self.path}: another detector service uses it; give each one its own") from None
        self._lock = lock

    def close(self) -> None:
        """Leave cleanly; safe to call twice."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with self._plain_errors():
                connection.close()

    # ---------------------------------------------------------------- state

    def require_room(self) -> None:
        """Raise ServerError while so little room is left that a turn might take what forgetting letters needs."""
        with self._plain_errors():
            connection = self._open()
            pages = connection.execute("PRAGMA freelist_count").fetchone()[0]
            own = pages * connection.execute("PRAGMA page_size").fetchone()[0]  # of letters that have left
        left = free_bytes(self.path) + own
        if left < self.room_bytes:
            raise ServerError(
                f"journal {self.path}: the disk is full but for {left:,} bytes, which are needed to empty it"
            )

    def append(self, turn: Turn, letters: Iterable[Letter]) -> None:
        """A turn and what follows from it, durable on return; raises ServerError and then nothing was appended."""
        rows = _rows(letters)
        with self._transaction() as connection:
            if rows and self.limit_bytes <= kept_bytes(connection):
                raise ServerError(
                    f"journal {self.path}: {kept_bytes(connection):,} bytes wait for delivery, which is its limit"
                )
            row = (turn.now_s, pack_messages(turn), orjson.dumps(turn.away).decode())
            connection.execute("INSERT INTO turn (now_s, messages, away) VALUES (?, ?, ?)", row)
            connection.executemany(INSERT_LETTER, rows)

    def checkpoint(self, parts: Mapping[str, bytes]) -> None:
        """The state as it is after all turns so far, which need not be made again."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM snapshot")
            connection.executemany("INSERT INTO snapshot VALUES (?, ?)", [*parts.items(), (CHECK, _digest(parts))])
            connection.execute("DELETE FROM turn")

    def snapshot(self) -> dict[str, bytes]:
        """The parts of the last checkpoint, {} where there was none; Refused where they are not as they were."""
        with self._plain_errors():
            parts = dict(self._open().execute("SELECT name, CAST(content AS BLOB) FROM snapshot").fetchall())
        check = parts.pop(CHECK, None)  # older ones have none
        if check is not None and check != _digest(parts):
            raise Refused(f"journal {self.path}: the state in it is damaged")
        return parts

    def turns(self) -> Iterator[Turn]:
        """The turns since the last checkpoint, in their order; Refused where one is damaged."""
        with self._plain_errors():
            statement = "SELECT number, now_s, messages, away FROM turn ORDER BY number"
            for number, now_s, packed, away in self._open().execute(statement):
                try:
                    yield Turn(now_s, unpack_messages(packed), _names(away))
                except (struct.error, UnicodeDecodeError, IndexError, ValueError):
                    raise Refused(f"journal {self.path}: turn {number} is damaged") from None

    def subscriptions(self, session: str) -> list[str]:
        """The topic filters that a persistent session may hold."""
        with self._plain_errors():
            rows = self._open().execute("SELECT filter FROM subscription WHERE session = ? ORDER BY filter", (session,))
            return [str(row[0]) for row in rows]

    def remember_subscriptions(self, session: str, filters: Iterable[str]) -> None:
        """Keep these in place of those that were remembered of the session."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM subscription WHERE session = ?", (session,))
            connection.executemany("INSERT INTO subscription VALUES (?, ?)", {(session, one) for one in filters})

    # ---------------------------------------------------------------- letters

    def letters(self, addressee: str, limit: int) -> list[Letter]:
        """The oldest letters to an addressee."""
        statement = "SELECT body, topic, number, retain FROM letter WHERE addressee = ? ORDER BY number LIMIT ?"
        with self._plain_errors():
            return [
                Letter(addressee, body, topic, number, bool(retain))
                for body, topic, number, retain in self._open().execute(statement, (addressee, limit))
            ]

    def post(self, letters: Iterable[Letter]) -> None:
        """Letters that follow from no turn: what the service says about itself, which no limit holds back."""
        with self._transaction() as connection:
            connection.executemany(INSERT_LETTER, _rows(letters))

    def delivered(self, letters: Iterable[Letter]) -> None:
        """Forget letters that have arrived."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM letter WHERE number = ?", [(letter.number,) for letter in letters])

    def quarantine(self, rejections: Sequence[Rejection], now_s: float) -> None:
        """Keep what an addressee will not have, with the reason, and forget the letters that it was part of."""
        rows = [
            (one.letter.addressee, one.letter.topic, one.part, one.letter.retain, one.reason, now_s)
            for one in rejections
        ]
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO quarantine (addressee, topic, body, retain, reason, since_s) VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
            connection.executemany("DELETE FROM letter WHERE number = ?", {(one.letter.number,) for one in rejections})

    def standing(self) -> Standing:
        """How much the journal holds."""
        with self._plain_errors():
            connection = self._open()
            waiting = dict(connection.execute("SELECT addressee, count(*) FROM letter GROUP BY addressee").fetchall())
            quarantined = connection.execute("SELECT count(*) FROM quarantine").fetchone()[0]
            return Standing(sum(waiting.values()), quarantined, kept_bytes(connection), waiting)

    # ---------------------------------------------------------------- the file

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, durable when it ends."""
        connection = self._open()
        with self._plain_errors(), transaction(connection):
            yield connection

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect_writer(self.path, JOURNAL, BUSY_TIMEOUT_S)
        return self._connection

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        with plain_errors(self.path, JOURNAL.name):
            yield


INSERT_LETTER = "INSERT INTO letter (addressee, topic, body, retain) VALUES (?, ?, ?, ?)"


def _digest(parts: Mapping[str, bytes]) -> bytes:
    """Of all parts, whatever their order."""
    each = [(sha256(name.encode()), sha256(parts[name])) for name in sorted(parts)]
    return sha256(b"".join(name.digest() + content.digest() for name, content in each)).digest()


def _names(packed: str) -> tuple[str, ...]:
    """Brokers as a turn's row has them; ValueError for anything else."""
    names = orjson.loads(packed)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("not a list of names")
    return tuple(names)


def _rows(letters: Iterable[Letter]) -> list[tuple[str, str, bytes, bool]]:
    return [(letter.addressee, letter.topic, letter.body, letter.retain) for letter in letters]


# ---------------------------------------------------------------- messages as bytes


def pack_messages(turn: Turn) -> bytes:
    """Topic, payload, whether it was retained, and the broker's name where it has one, one message after another."""
    parts: list[bytes] = []
    for message in turn.messages:
        topic = message.topic.encode("utf-8", "surrogateescape")
        flags = _RETAINED * message.retained + _BROKER * bool(message.broker)
        parts += [_HEAD.pack(len(topic), len(message.payload), flags), topic, message.payload]
        if message.broker:
            name = message.broker.encode()
            parts += [bytes([len(name)]), name]
    return b"".join(parts)


def unpack_messages(packed: bytes) -> list[Message]:
    """The inverse; struct.error or IndexError for bytes that are cut off."""
    messages: list[Message] = []
    at = 0
    while at < len(packed):
        topic_size, payload_size, flags = _HEAD.unpack_from(packed, at)
        middle = at + _HEAD.size + topic_size
        end = middle + payload_size
        if end > len(packed):
            raise IndexError(end)
        topic = packed[at + _HEAD.size : middle].decode("utf-8", "surrogateescape")
        payload, at, broker = packed[middle:end], end, ""
        if flags & _BROKER:
            at = end + 1 + packed[end]
            broker = packed[end + 1 : at].decode()
            if at > len(packed):
                raise IndexError(at)
        messages.append(Message(topic, payload, None, bool(flags & _RETAINED), broker))
    return messages
