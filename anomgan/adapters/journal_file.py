"""The journal's file: its schema and its versions, to write, to change while the service runs, and to look at."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from anomgan.adapters.sqlite_kind import (
    Kind,
    connect_writer,
    header_number,
    is_blank,
    plain_errors,
    require_kind,
    split_statements,
)
from anomgan.errors import Refused, Unreachable

QUARANTINE = """
CREATE TABLE quarantine (             -- what an addressee has read and will not have
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, so that an operator's word is about one part
    addressee TEXT NOT NULL,
    topic TEXT NOT NULL DEFAULT '',
    body BLOB NOT NULL,
    retain INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL,
    since_s REAL NOT NULL
);
CREATE TRIGGER quarantine_comes AFTER INSERT ON quarantine BEGIN UPDATE kept SET bytes = bytes + length(NEW.body); END;
CREATE TRIGGER quarantine_goes AFTER DELETE ON quarantine BEGIN UPDATE kept SET bytes = bytes - length(OLD.body); END;
"""
TABLES = """
CREATE TABLE snapshot (name TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE turn (
    number INTEGER PRIMARY KEY,
    now_s REAL NOT NULL,
    messages BLOB NOT NULL,
    away TEXT NOT NULL DEFAULT '[]'    -- JSON array: the brokers that could bring none
);
CREATE TABLE letter (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, so that a carrier's word is about one letter
    addressee TEXT NOT NULL,
    topic TEXT NOT NULL,
    body BLOB NOT NULL,
    retain INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX letter_by_addressee ON letter (addressee, number);
CREATE TABLE subscription (           -- what persistent sessions may still hold; MQTT cannot list it
    session TEXT NOT NULL,
    filter TEXT NOT NULL,
    PRIMARY KEY (session, filter)
) WITHOUT ROWID;
CREATE TABLE kept (bytes INTEGER NOT NULL);  -- of letters and quarantine: a sum over all would be slow
INSERT INTO kept VALUES (0);
CREATE TRIGGER letter_comes AFTER INSERT ON letter BEGIN UPDATE kept SET bytes = bytes + length(NEW.body); END;
CREATE TRIGGER letter_goes AFTER DELETE ON letter BEGIN UPDATE kept SET bytes = bytes - length(OLD.body); END;
"""
SCHEMA = TABLES + QUARANTINE
SCHEMA_VERSION = 4


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Change an older schema into this one, keeping every row; within the caller's transaction."""
    version = header_number(connection, "user_version")
    if version == 1:  # messages of version 1 are all of the broker without a name
        connection.execute(
            "CREATE TABLE subscription (session TEXT NOT NULL, filter TEXT NOT NULL, PRIMARY KEY (session, filter)) "
            "WITHOUT ROWID"
        )
        connection.execute("ALTER TABLE letter ADD COLUMN retain INTEGER NOT NULL DEFAULT 0")
    if version <= 2:  # of what was refused before, nothing says which topic it was for
        connection.execute("DROP TRIGGER quarantine_comes")
        connection.execute("DROP TRIGGER quarantine_goes")
        connection.execute("ALTER TABLE quarantine RENAME TO refused_before")
        table, *triggers = split_statements(QUARANTINE)
        connection.execute(table)
        connection.execute(
            "INSERT INTO quarantine (number, addressee, body, reason, since_s) "
            "SELECT number, addressee, body, reason, since_s FROM refused_before"
        )
        connection.execute("DROP TABLE refused_before")
        for statement in triggers:  # what was kept is counted already
            connection.execute(statement)
    if version <= 3:  # of a turn made before, nothing says that a broker was away
        connection.execute("ALTER TABLE turn ADD COLUMN away TEXT NOT NULL DEFAULT '[]'")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


JOURNAL = Kind("journal", 0x61676A6C, SCHEMA_VERSION, SCHEMA, bring_up_to_date)  # `agjl` in ASCII
BUSY_TIMEOUT_S = 10.0
CHECK = "check"
"""in a snapshot, what the other parts are known by"""


def kept_bytes(connection: sqlite3.Connection) -> int:
    """What letters and quarantine hold, together."""
    return int(connection.execute("SELECT bytes FROM kept").fetchone()[0])


def free_bytes(path: Path) -> int:
    """What the disk of a journal has left; Unreachable where it does not answer."""
    try:
        return shutil.disk_usage(path.parent).free
    except OSError as error:
        raise Unreachable(f"journal {path}: its disk does not answer: {error.strerror}") from None


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, durable when it ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a journal that is there, for reading only; of any version, for it is left as it is.

    Raises Unreachable where there is none, Refused for a foreign, damaged or newer file.
    """
    if not path.exists():
        raise Unreachable(f"journal {path}: there is none yet; the detector service makes it when it starts")
    if not path.is_file():
        raise Refused(f"journal {path}: not a file")
    with plain_errors(path, JOURNAL.name):
        uri = f"{path.absolute().as_uri()}?mode=ro"  # which never makes a file
        with closing(sqlite3.connect(uri, timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=True)) as connection:
            if is_blank(connection):
                raise Unreachable(f"journal {path}: nothing written yet")
            require_kind(connection, path, JOURNAL)
            yield connection


@contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction on a journal that is there, also while a service uses it; raises as `looking` does."""
    with looking(path):
        pass
    with (
        plain_errors(path, JOURNAL.name),
        closing(connect_writer(path, JOURNAL, BUSY_TIMEOUT_S)) as connection,
        transaction(connection),
    ):
        yield connection
