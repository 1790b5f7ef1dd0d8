"""One trial: servers, devices and the detector service; a plan of disturbances; then the comparison."""

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from servers import Mosquitto, eventually

from anomgan.adapters.journal import Journal
from anomgan.adapters.mqtt import MqttSource
from anomgan.errors import ServerError
from chaos.acts import KINDS, Act, Kind, Means, carry_out, plan
from chaos.compare import Tally, compare_database, compare_store, compare_told
from chaos.databases import DATABASES, SECRET, WORDS, Database
from chaos.devices import FIRST_ROWS, Devices
from chaos.disk import SmallDisk
from chaos.plant import Plant, row_of, undisturbed
from chaos.supervisor import Supervisor

JOURNAL_MB = 8.0
"""reached when the database is away for long, so that nothing more is acknowledged"""
MOST_GROWTH_BYTES = 150_000_000
"""of the service's memory after it has begun to listen: its queue, its caches, a full turn; a leak goes on"""
STANDSTILL_S = 180.0
NEARLY = 6
"""rows behind what is measured: under way"""
POLL_S = 0.1
PILED_UP_S = 1.0
NOTICED_WITHIN_S = 90.0
NOTICED_BY: Mapping[Kind, tuple[str, ...]] = {
    "broker killed": ("MQTT broker ",),
    "database away": ("InfluxDB ",),
    "credentials refused": ("InfluxDB ",),
    "disk full": ("the disk is full", "reading or writing the disk failed"),
}
"""what the service says when something has happened to it"""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything."""

    devices: int
    rows_per_s: float
    rounds: tuple[tuple[Kind, ...], ...]
    rest_s: float
    """the longest between two acts"""
    long: bool
    """whether the database is once away for longer than any retry"""


FULL = Scale(devices=200, rows_per_s=3.0, rounds=(("detector killed", *KINDS),) * 3, rest_s=5.0, long=True)
SHORT = {
    "influx": Scale(100, 4.0, (("database away", "detector killed", "detector told to end"),), 1.0, long=False),
    "victoria": Scale(100, 4.0, (("credentials refused", "broker killed", "disk full"),), 1.0, long=False),
}
"""each kind once: a part of the test suite"""


@dataclass(slots=True)
class Outcome:
    """What became of a trial; `wrong` says what else there was to complain about."""

    tally: Tally
    kills: int
    readings: int
    again: int
    starts: int
    disk: str
    told: tuple[int, int]
    first_bytes: int
    peak_bytes: int
    seconds: float
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether there is nothing to complain about."""
        tally = self.tally
        return not (tally.lost or tally.doubled or tally.differing or self.wrong)


def run_trial(
    folder: Path,
    database: str,
    seed: int,
    scale: Scale,
    model: Path,
    tell: Callable[[str], None] = lambda words: None,
    *,
    mount: bool = True,
) -> Outcome:
    """Servers up, devices sending, disturbances, calm, comparison."""
    began = time.monotonic()
    with ExitStack() as stack:
        trial = Trial(folder, database, seed, scale, model, tell, mount)
        stack.callback(trial.close)
        trial.start()
        kills = trial.disturb(seed, scale)
        rows = trial.settle()
        tally, told = trial.compare(rows)
        supervisor = trial.supervisor
        wrong = [*supervisor.wrong, *trial.wrong]
        growth = supervisor.peak_bytes - supervisor.first_bytes
        if growth > MOST_GROWTH_BYTES:
            wrong.append(f"the service's memory grew by {growth / 1e6:.0f} MB")
        return Outcome(
            tally,
            kills,
            rows * scale.devices,
            trial.devices.again,
            supervisor.starts,
            trial.disk.how,
            told,
            supervisor.first_bytes,
            supervisor.peak_bytes,
            time.monotonic() - began,
            wrong,
        )


class Trial:
    """Everything that runs in a trial."""

    def __init__(
        self,
        folder: Path,
        database: str,
        seed: int,
        scale: Scale,
        model: Path,
        tell: Callable[[str], None],
        mount: bool,
    ) -> None:
        self.wrong: list[str] = []
        self._unnoticed = 0
        self._since: dict[Kind, tuple[float, int]] = {}
        self._stored = 0
        self._began = time.monotonic()
        self._tell = tell
        self._model = model
        self._clock = threading.Event()  # nobody sets it: it only lets time pass
        (folder / "broker").mkdir(parents=True)
        lasting = [f"persistence_location {folder}/broker/", "persistence true", "autosave_interval 1"]
        self._broker = Mosquitto(folder / "broker", ["allow_anonymous true", *lasting])
        self._database: Database = DATABASES[database](folder / database)
        config = folder / "detector.toml"
        self.supervisor = Supervisor(folder, config, {**os.environ, SECRET: WORDS[0]})
        self.disk = SmallDisk(folder / "disk", lambda: self.supervisor.pid, mount=mount)
        self._store, self._journal = self.disk.folder / "anomgan.db", self.disk.folder / "journal.db"
        config.write_text(self._settings())
        plant = Plant(scale.devices, seed)
        self.devices = Devices(plant, self._broker.config, scale.rows_per_s, self.stored_rows)
        self._told: list[bytes] = []
        self._leaving = threading.Event()
        self._listener = threading.Thread(target=self._listen, name="listener")

    def _settings(self) -> str:
        influx = self._database.config
        login = (
            f'username = "{influx.username}"\npassword_env = "{SECRET}"'
            if influx.username
            else f'token_env = "{SECRET}"'
        )
        return f"""
[broker]
host = "127.0.0.1"
port = {self._broker.port}
client_id = "detector"
connect_timeout_s = 30.0
[[fleets]]
model = "{self._model}"
topic = "plant/{{device}}/telemetry"
[alarms]
fleet_share = 0.0
[store.sqlite]
path = "{self._store}"
[store.influx]
url = "{influx.url}"
version = {influx.version}
timeout_s = {influx.timeout_s}
{login}
[journal]
path = "{self._journal}"
limit_mb = {JOURNAL_MB}
snapshot_s = 3.0
"""

    def start(self) -> None:
        """Everything up, and the first readings stored."""
        self._broker.start()
        self._database.start()
        self.supervisor.start()
        self._listener.start()
        self.devices.start()
        written = self._broker.log.parent / "mosquitto.db"  # with it, the broker knows the service after a crash
        eventually(
            lambda: self.devices.stored >= FIRST_ROWS and written.exists(),
            "the first readings are stored",
            STANDSTILL_S,
        )

    def close(self) -> None:
        """Leave nothing running."""
        self._leaving.set()
        self.devices.close()
        self.supervisor.close()
        if self._listener.ident is not None:
            self._listener.join()
        self._database.stop()
        self._broker.stop()
        self.disk.close()

    # ---------------------------------------------------------------- disturbing

    def disturb(self, seed: int, scale: Scale) -> int:
        """Round after round of disturbances, each from good health; how many the service has noticed."""
        dice = random.Random(seed)
        means = Means(self._begin, self._end, self._strike, time.monotonic, self._clock.wait, self._say)
        kills = 0
        for number, kinds in enumerate(scale.rounds, 1):
            self._say(f"round {number} of {len(scale.rounds)}")
            acts = plan(dice, kinds, scale.rest_s, long=scale.long and number == 1)
            carry_out(acts, means)
            kills += len(acts)
            self._recover(lambda: self.devices.due - self.devices.stored <= NEARLY)
        return kills - self._unnoticed

    def _begin(self, kind: Kind) -> None:
        self._since[kind] = (time.monotonic(), self._noticed(kind))
        {
            "broker killed": self._broker.kill,
            "database away": self._database.go_away,
            "credentials refused": self._database.refuse,
            "disk full": self.disk.fill,
        }[kind]()

    def _end(self, kind: Kind) -> bool:
        """End what the service has noticed, or might have in `NOTICED_WITHIN_S`."""
        self.disk.keep_full()
        began, before = self._since[kind]
        if self._noticed(kind) == before:
            if time.monotonic() - began < NOTICED_WITHIN_S:
                return False
            self._unnoticed += 1
            self._say(f"      {kind}: the service has not noticed, so this does not count")
        {
            "broker killed": self._broker.start,
            "database away": self._database.come_back,
            "credentials refused": self._database.accept,
            "disk full": self.disk.free,
        }[kind]()
        return True

    def _noticed(self, kind: Kind) -> int:
        """How often the service has spoken of it."""
        return sum(self.supervisor.said_in_all().count(words) for words in NOTICED_BY[kind])

    def _strike(self, act: Act, rest: Callable[[float], None]) -> None:
        supervisor = self.supervisor
        if act.how == "as it starts":
            before = supervisor.starts
            supervisor.kill()
            while supervisor.starts == before:
                rest(POLL_S)
            rest(act.lasts_s)
        elif act.how == "in a batch":
            while not supervisor.listening:
                rest(POLL_S)
            supervisor.pause()  # so that a batch has come together
            rest(PILED_UP_S)
            supervisor.go_on()
            rest(act.lasts_s)
        if act.kind == "detector told to end":
            supervisor.terminate()
        else:
            supervisor.kill()

    # ---------------------------------------------------------------- coming to rest

    def settle(self) -> int:
        """Let everything be stored and delivered, and end the service; the rows there are of every device."""
        rows = self.devices.finish()
        self._say(f"{rows * len(self.devices.plant.names):,} readings were sent")
        self._recover(lambda: self.stored_rows() == rows)
        self.supervisor.end()
        with closing(Journal(self._journal, 1)) as journal:
            standing = journal.standing()
        if standing.quarantined:
            self.wrong.append(f"{standing.quarantined} letters in quarantine")
        return rows

    def _recover(self, stored: Callable[[], bool]) -> None:
        """Wait until as much is stored as there should be and nothing waits in the journal, as long as it moves on."""
        before, since = (-1, -1), time.monotonic()
        while not (stored() and self._letters() == 0):
            state = (self.stored_rows(), self._letters())
            if state != before:
                before, since = state, time.monotonic()
            if time.monotonic() - since > STANDSTILL_S:
                self.wrong.append(f"standstill: {state[0]} rows stored, {state[1]} letters waiting")
                return
            self._clock.wait(POLL_S)

    def stored_rows(self) -> int:
        """The rows that SQLite has of every device."""
        try:
            with closing(sqlite3.connect(f"{self._store.as_uri()}?mode=ro", uri=True)) as connection:
                known, oldest_s = connection.execute("SELECT count(time_s), min(time_s) FROM device").fetchone()
        except sqlite3.OperationalError:  # it is not there yet, or just being closed or recovered
            return self._stored
        self._stored = row_of(oldest_s) + 1 if known == len(self.devices.plant.names) else 0
        return self._stored

    def _letters(self) -> int:
        """What waits in the journal; -1 while that cannot be said."""
        try:
            with closing(Journal(self._journal, 1)) as journal:
                return journal.standing().letters
        except ServerError:
            return -1

    def _listen(self) -> None:
        """Hear the events that the service tells."""
        config = self._broker.config.model_copy(update={"client_id": "listener"})
        with closing(MqttSource(config, [("anomgan/+/event", 1)])) as source:
            while not self._leaving.is_set():
                messages = source.receive(1000, POLL_S)
                self._told += [message.payload for message in messages]
                source.acknowledge(messages)

    def compare(self, rows: int) -> tuple[Tally, tuple[int, int]]:
        """What was stored against an undisturbed run of the same rows."""
        meant = undisturbed(self._model, self.devices.plant, rows)
        tally = Tally()
        compare_store(tally, self._store, meant)
        compare_database(tally, self._database, meant)
        return tally, compare_told(tally, self._told, meant)

    def _say(self, words: str) -> None:
        devices = self.devices
        how_far = f"rows measured {devices.due}, stored {devices.stored}"
        self._tell(f"[{time.monotonic() - self._began:5.0f} s] {words}; {how_far}")
