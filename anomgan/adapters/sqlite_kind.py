"""SQLite files of ours: told from others', made where they are missing, and SQLite's errors in plain words."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anomgan.errors import AnomganError, Refused, ServerError, Unreachable


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: what it is called, its mark and its version in the header, its schema, and what changes an older
    schema into this one, keeping every row, within the caller's transaction."""

    name: str
    application_id: int
    version: int
    schema: str
    upgrade: Callable[[sqlite3.Connection], None] = lambda connection: None


def connect_writer(path: Path, kind: Kind, busy_timeout_s: float) -> sqlite3.Connection:
    """Open a file for writing, made with its folder where it is missing; durable on every commit.

    Raises Refused for a foreign, damaged or newer file and Unreachable where the file cannot be opened.
    """
    with plain_errors(path, kind.name):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unreachable(f"{kind.name} {path}: cannot make its folder: {error.strerror}") from None
        # The service closes from the thread that ends it; SQLite itself is compiled thread safe.
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path, kind)
        except (sqlite3.Error, AnomganError):
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: Path, kind: Kind) -> None:
    """Set up a connection that writes: schema where there is none yet, WAL, synchronous=FULL."""
    connection.execute("BEGIN IMMEDIATE")  # of two that start at once on a new file, one waits
    try:
        if is_blank(connection):
            for statement in split_statements(kind.schema):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {kind.application_id}")
            connection.execute(f"PRAGMA user_version = {kind.version}")
        require_kind(connection, path, kind)
        kind.upgrade(connection)
    except (sqlite3.Error, AnomganError):
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise Refused(
            f"{kind.name} {path}: this file system cannot do write-ahead logging (journal mode stays {mode!r})"
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 67108864")


def is_blank(connection: sqlite3.Connection) -> bool:
    """Whether the file holds no tables and belongs to nobody."""
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return bool(tables == 0 and header_number(connection, "application_id") == 0)


def require_kind(connection: sqlite3.Connection, path: Path, kind: Kind) -> None:
    """Raise Refused unless the file is of this kind and of a schema known here."""
    if header_number(connection, "application_id") != kind.application_id:
        raise Refused(f"{kind.name} {path}: an SQLite file of another program; give the {kind.name} a file of its own")
    version = header_number(connection, "user_version")
    if version > kind.version:
        raise Refused(
            f"{kind.name} {path}: written by a newer anomgan (schema {version}; this one knows up to {kind.version})"
        )


def header_number(connection: sqlite3.Connection, name: str) -> int:
    """`application_id` or `user_version` of the file's header."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def split_statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: executescript() would commit in between."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


MEANING: Mapping[int, tuple[type[ServerError], str]] = {
    sqlite3.SQLITE_BUSY: (ServerError, "locked by another process"),
    sqlite3.SQLITE_LOCKED: (ServerError, "locked by another connection"),
    sqlite3.SQLITE_FULL: (ServerError, "the disk is full"),
    sqlite3.SQLITE_IOERR: (ServerError, "reading or writing the disk failed"),
    sqlite3.SQLITE_READONLY: (Refused, "may not be written"),
    sqlite3.SQLITE_PERM: (Refused, "no permission"),
    sqlite3.SQLITE_AUTH: (Refused, "no permission"),
    sqlite3.SQLITE_CANTOPEN: (Unreachable, "cannot be opened"),
    sqlite3.SQLITE_NOTADB: (Refused, "not an SQLite file"),
    sqlite3.SQLITE_CORRUPT: (Refused, "the file is damaged"),
}


@contextmanager
def plain_errors(path: Path, what: str) -> Iterator[None]:
    """Turn SQLite's errors into ServerErrors that name the file and say what is wrong."""
    try:
        yield
    except sqlite3.Error as error:
        primary = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF  # extended codes keep the primary one below
        kind, meaning = MEANING.get(primary, (ServerError, "failed"))
        raise kind(f"{what} {path}: {meaning} ({error})") from error
    except (UnicodeEncodeError, OverflowError) as error:  # half a surrogate pair; an integer beyond 64 bits
        raise Refused(f"{what} {path}: a name or number cannot be stored ({error})") from error
