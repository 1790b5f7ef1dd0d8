"""The file of the embedded store: its schema and its version, to write and to read."""

import sqlite3
from pathlib import Path

from anomgan.adapters import sqlite_kind
from anomgan.adapters.sqlite_band import BAND_TABLE
from anomgan.adapters.sqlite_expected import EXPECTED_TABLE
from anomgan.adapters.sqlite_kind import Kind, header_number, is_blank, plain_errors, require_kind, split_statements
from anomgan.adapters.sqlite_models import MODEL_TABLES
from anomgan.errors import AnomganError, Unreachable

APPLICATION_ID = 0x616E6F6D
"""`anom` in ASCII, in the header of every file of ours"""
SCHEMA_VERSION = 5
HEALTH_TABLES = """
CREATE TABLE health (               -- how a device's data are, by the model that watches them
    device_id INTEGER NOT NULL REFERENCES device (id),
    model TEXT NOT NULL,
    time_s REAL NOT NULL,           -- by the clock of the arrivals
    silent_s REAL,
    skew_s REAL,
    counts TEXT NOT NULL,           -- JSON object: channels that are stuck, ..., readings that were refused
    PRIMARY KEY (device_id, model)
) WITHOUT ROWID;
CREATE TABLE issue (
    id TEXT PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id),
    channel TEXT NOT NULL,          -- empty = the whole device
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    reason TEXT NOT NULL,
    model TEXT NOT NULL
);
CREATE INDEX issue_by_device ON issue (device_id, start_s);
CREATE INDEX issue_open ON issue (device_id) WHERE state = 'open';
"""

AUDIT = """
CREATE TABLE audit (                -- what people have told the service to do; rows are added and never changed
    time_s REAL NOT NULL,           -- by the service's clock
    number INTEGER NOT NULL,
    client TEXT NOT NULL,           -- who, as the client says
    command TEXT NOT NULL,
    subject TEXT NOT NULL,          -- the event, or site/device
    effect TEXT NOT NULL,           -- JSON: what followed, in numbers
    PRIMARY KEY (time_s, number)
);
"""

HEARD = """
CREATE TABLE heard (                -- when anything came of a device last
    device_id INTEGER PRIMARY KEY REFERENCES device (id),
    heard_s REAL,                   -- by the service's clock; NULL = an older version has not said
    listened_s REAL NOT NULL        -- by the time in which batches were written, see `listened_s` in meta
);
"""

ALARM_COLUMNS = {
    "note": "TEXT NOT NULL DEFAULT ''",
    "part_of": "TEXT NOT NULL DEFAULT ''",
    "members": "INTEGER NOT NULL DEFAULT 0",
}
"""of `event`, since schema 3"""
ONSETS = "TEXT NOT NULL DEFAULT '[]'"

# A device's history is clustered by (device, time): one device's hour is one run of pages. What the fleet view
# needs of every device stands in `device`, so that "the latest of all" reads no verdict at all.
TABLES = """
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
    channels TEXT NOT NULL,         -- JSON: [[name, unit, observed, expected, contribution], ...], null = NaN
    note TEXT NOT NULL DEFAULT '',  -- why it is muted, or what a person has said of it
    part_of TEXT NOT NULL DEFAULT '',  -- id of the fleet-wide event that is told in its place
    members INTEGER NOT NULL DEFAULT 0,  -- devices of a fleet-wide event
    onsets TEXT NOT NULL DEFAULT '[]'   -- JSON: [[channel, time_s], ...], first what went first
);
CREATE INDEX event_by_device ON event (device_id, start_s, id);
CREATE INDEX event_by_start ON event (start_s, id);
CREATE INDEX event_open ON event (device_id) WHERE state = 'open';
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('revision', 0), ('store_id', lower(hex(randomblob(8))));
"""
SCHEMA = TABLES + HEALTH_TABLES + AUDIT + HEARD + BAND_TABLE + MODEL_TABLES + EXPECTED_TABLE


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Change an older schema into this one, keeping every row; within the caller's transaction."""
    before = header_number(connection, "user_version")
    if before < 2:
        connection.execute("ALTER TABLE verdict RENAME COLUMN neighbour TO pattern")
    if before < 3:
        for name, kind in ALARM_COLUMNS.items():
            connection.execute(f"ALTER TABLE event ADD COLUMN {name} {kind}")
        for statement in split_statements(HEALTH_TABLES + AUDIT):
            connection.execute(statement)
    if before < 4:
        connection.execute(f"ALTER TABLE event ADD COLUMN onsets {ONSETS}")
        for statement in split_statements(HEARD + BAND_TABLE + MODEL_TABLES):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO heard SELECT device_id, max(time_s - silent_s), 0 FROM health GROUP BY device_id"
        )
    if before < 5:
        for statement in split_statements(EXPECTED_TABLE):
            connection.execute(statement)
    if before < SCHEMA_VERSION:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


STORE = Kind("store", APPLICATION_ID, SCHEMA_VERSION, SCHEMA, bring_up_to_date)


def connect_writer(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the store for writing, made with its folder where it is missing; durable on every commit.

    Raises Refused for a foreign, damaged or newer file and Unreachable where the file cannot be opened.
    """
    connection = sqlite_kind.connect_writer(path, STORE, busy_timeout_s)
    # A fleet's batch touches one page per device: fewer checkpoints, each page written back once instead of often.
    connection.execute("PRAGMA wal_autocheckpoint = 8000")
    connection.execute("PRAGMA cache_size = -32768")
    return connection


def connect_reader(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the store for reading only.

    Raises Unreachable where nothing has been stored yet, Refused for a foreign, damaged or newer file.
    """
    if not path.exists():
        raise Unreachable(f"store {path}: no such file yet")
    with plain_errors(path, STORE.name):
        # as_uri() escapes what a URI may not hold; a read-only connection never makes a file.
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, timeout=busy_timeout_s, isolation_level=None, uri=True)
        try:
            if is_blank(connection):
                raise Unreachable(f"store {path}: nothing written yet")
            require_kind(connection, path, STORE)
            if header_number(connection, "user_version") < SCHEMA_VERSION:
                raise Unreachable(f"store {path}: of an older schema; the detector service brings it up to date")
        except (sqlite3.Error, AnomganError):
            connection.close()
            raise
        return connection
