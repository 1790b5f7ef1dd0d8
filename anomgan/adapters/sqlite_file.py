"""The file of the embedded store: its schema, its version, and SQLite's errors in plain words."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from anomgan.errors import AnomganError, Refused, ServerError, Unreachable

APPLICATION_ID = 0x616E6F6D
"""`anom` in ASCII, in the header of every file of ours"""
SCHEMA_VERSION = 2

# A device's history is clustered by (device, time): one device's hour is one run of pages. What the fleet view
# needs of every device stands in `device`, so that "the latest of all" reads no verdict at all.
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE channels (
    id INTEGER PRIMARY KEY,         -- once per device, model and list, instead of in every verdict
    device_id INTEGER NOT NULL REFERENCES device (id),
    model TEXT NOT NULL,
    names TEXT NOT NULL,            -- JSON array
    units TEXT NOT NULL,            -- JSON array, as long as names or empty
    UNIQUE (device_id, model, names, units)
);
CREATE TABLE device (
    id INTEGER PRIMARY KEY,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    revision INTEGER NOT NULL,      -- of the write that changed it last
    first_s REAL,                   -- oldest verdict that is kept; NULL before the first verdict, like all below
    time_s REAL,                    -- newest verdict
    step_s REAL,                    -- smoothed time between verdicts
    channels_id INTEGER REFERENCES channels (id),
    surprise REAL,                  -- NULL = unknown
    threshold REAL,
    anomalous INTEGER NOT NULL DEFAULT 0,
    trail BLOB NOT NULL DEFAULT x'',  -- float32 surprises of late, oldest first: the sparkline
    UNIQUE (site, device)
);
CREATE TABLE verdict (
    device_id INTEGER NOT NULL REFERENCES device (id),
    time_s REAL NOT NULL,
    channels_id INTEGER NOT NULL REFERENCES channels (id),
    surprise REAL,                  -- NULL = unknown, never normal
    threshold REAL,
    anomalous INTEGER NOT NULL,
    discriminator REAL,
    reconstruction REAL,
    pattern REAL,
    observed BLOB NOT NULL,         -- float32 little endian, one per channel, like the two below
    expected BLOB NOT NULL,
    contribution BLOB NOT NULL,
    PRIMARY KEY (device_id, time_s)
) WITHOUT ROWID;
CREATE TABLE event (
    id TEXT PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id),
    state TEXT NOT NULL,
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    peak REAL,
    peak_s REAL,
    severity TEXT NOT NULL,
    threshold REAL,
    model TEXT NOT NULL,
    reason TEXT NOT NULL,
    channels TEXT NOT NULL          -- JSON: [[name, unit, observed, expected, contribution], ...], null = NaN
);
CREATE INDEX event_by_device ON event (device_id, start_s, id);
CREATE INDEX event_by_start ON event (start_s, id);
CREATE INDEX event_open ON event (device_id) WHERE state = 'open';
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('revision', 0), ('store_id', lower(hex(randomblob(8))));
"""


def connect_writer(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the store for writing, made with its folder where it is missing; durable on every commit.

    Raises Refused for a foreign, damaged or newer file and Unreachable where the file cannot be opened.
    """
    with plain_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unreachable(f"store {path}: cannot make its folder: {error.strerror}") from None
        # The service closes from the thread that ends it; SQLite itself is compiled thread safe.
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
        try:
            prepare(connection, path)
        except (sqlite3.Error, AnomganError):
            connection.close()
            raise
        return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Set up a connection that writes: schema where there is none yet, WAL, synchronous=FULL."""
    connection.execute("BEGIN IMMEDIATE")  # of two that start at once on a new file, one waits
    try:
        if is_blank(connection):
            for statement in split_statements(SCHEMA):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        require_ours(connection, path)
        bring_up_to_date(connection)
    except (sqlite3.Error, AnomganError):
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise Refused(f"store {path}: this file system cannot do write-ahead logging (journal mode stays {mode!r})")
    connection.execute("PRAGMA synchronous = FULL")
    # A fleet's batch touches one page per device: fewer checkpoints, each page written back once instead of often.
    connection.execute("PRAGMA wal_autocheckpoint = 8000")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA cache_size = -32768")


def connect_reader(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the store for reading only.

    Raises Unreachable where nothing has been stored yet, Refused for a foreign, damaged or newer file.
    """
    if not path.exists():
        raise Unreachable(f"store {path}: no such file yet")
    with plain_errors(path):
        # as_uri() escapes what a URI may not hold; a read-only connection never makes a file.
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, timeout=busy_timeout_s, isolation_level=None, uri=True)
        try:
            if is_blank(connection):
                raise Unreachable(f"store {path}: nothing written yet")
            require_ours(connection, path)
            if header_number(connection, "user_version") < SCHEMA_VERSION:
                raise Unreachable(f"store {path}: of an older schema; the detector service brings it up to date")
        except (sqlite3.Error, AnomganError):
            connection.close()
            raise
        return connection


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Change an older schema into this one, keeping every row; within the caller's transaction."""
    if header_number(connection, "user_version") == 1:
        connection.execute("ALTER TABLE verdict RENAME COLUMN neighbour TO pattern")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def is_blank(connection: sqlite3.Connection) -> bool:
    """Whether the file holds no tables and belongs to nobody."""
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return bool(tables == 0 and header_number(connection, "application_id") == 0)


def require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Raise Refused unless the file is a store of ours and of a schema known here."""
    if header_number(connection, "application_id") != APPLICATION_ID:
        raise Refused(f"store {path}: an SQLite file of another program; give the store a file of its own")
    version = header_number(connection, "user_version")
    if version > SCHEMA_VERSION:
        raise Refused(
            f"store {path}: written by a newer anomgan (schema {version}; this one knows up to {SCHEMA_VERSION})"
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
def plain_errors(path: Path, what: str = "store") -> Iterator[None]:
    """Turn SQLite's errors into ServerErrors that name the file and say what is wrong."""
    try:
        yield
    except sqlite3.Error as error:
        primary = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF  # extended codes keep the primary one below
        kind, meaning = MEANING.get(primary, (ServerError, "failed"))
        raise kind(f"{what} {path}: {meaning} ({error})") from error
    except (UnicodeEncodeError, OverflowError) as error:  # half a surrogate pair; an integer beyond 64 bits
        raise Refused(f"{what} {path}: a name or number cannot be stored ({error})") from error
