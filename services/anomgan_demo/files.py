"""The demo's folder: every file it makes, and the two configurations that are written for its programs."""

import json
from dataclasses import dataclass
from pathlib import Path

from anomgan.config import BrokerConfig

DAY_S = 900.0
FIRST_FAULT_S = 150.0
"""after the devices went live; the detector's warm-up is over by then"""
MODELS = {"pump": "pump-*", "cold_store": "cold-*"}
"""device kind -> the names its devices have"""

SIMULATOR = """\
# The demo's devices. `anomgan simulate {name}` plays them; configs/simulate.toml explains every key.
[broker]
host = "{broker.host}"
port = {broker.port}

[clock]
start = {start}
period_s = 1.0
speed = {speed}
seed = {seed}
day_s = {day_s}
{duration}
[[devices]]
kind = "pump"
count = 3
name = "pump-"
site = "waterworks"

[devices.settings]
batches_per_day = 3

[[devices]]
kind = "cold_store"
count = 2
name = "cold-"
site = "depot"

[devices.settings]        # short cycles: within the normal stretch a device shows all that it does
band_k = 1.0
defrost_every_s = 0
doors_per_hour = 20
door_open_s = 12

[random_faults]
severity = 1.5            # what an engineer would see in a plot
kinds = [                 # what the model is for; missing values and other units are told by data quality
  "spike", "bias", "drift", "noise", "stuck", "correlation_break", "swapped_channels",
  "blockage", "bearing_wear", "leak", "cavitation", "off_curve", "impeller_wear",
  "refrigerant_leak", "door_left_open", "condenser_fouling",
]
first_s = {first_s}
{last}"""

DETECTOR = """\
# The demo's detector. `anomgan detect {name}` runs it; configs/detector.toml explains every key.
[broker]
host = "{broker.host}"
port = {broker.port}
client_id = "anomgan-demo"

[input]
max_future_s = 1e9       # the devices run faster than life, ahead of the clock

[quality]
judge_clocks = false     # for the same reason
{fleets}
[control]                # the page has buttons: false alarm, real, maintenance, mute
authentication = "broker"  # the demo's own, which listens on loopback only

[store.sqlite]
path = {store}

[journal]
path = {journal}

[dashboard]
port = {port}
simulator = {simulator}  # `anomgan simulate --control` plays it: the page injects faults there
"""

FLEET = """
[[fleets]]
model = {model}
topic = "plant/{{site}}/{{device}}/telemetry"
devices = ["{shape}"]
"""


@dataclass(frozen=True, slots=True)
class Folder:
    """The demo's folder."""

    path: Path

    @property
    def simulator(self) -> Path:
        """Configuration of the simulator."""
        return self.path / "simulate.toml"

    @property
    def detector(self) -> Path:
        """Configuration of detector and dashboard."""
        return self.path / "detector.toml"

    @property
    def store(self) -> Path:
        """The SQLite store."""
        return self.path / "anomgan.db"

    @property
    def journal(self) -> Path:
        """What the detector remembers over a restart."""
        return self.path / "journal.db"

    @property
    def truth(self) -> Path:
        """Ground truth, JSON lines."""
        return self.path / "truth.jsonl"

    def model(self, kind: str) -> Path:
        """The model of one kind of device."""
        return self.path / f"{kind}.safetensors"

    def summary(self, stretch: str) -> Path:
        """What the simulator says it published."""
        return self.path / f"published-{stretch}.json"

    def log(self, program: str) -> Path:
        """What a program wrote."""
        return self.path / f"{program}.log"

    def prepare(self) -> None:
        """Make the folder and take away what an earlier demo left; nothing else in it is touched."""
        self.path.mkdir(parents=True, exist_ok=True)
        store = [Path(f"{self.store}{ending}") for ending in ("", "-wal", "-shm")]
        journal = [Path(f"{self.journal}{ending}") for ending in ("", "-wal", "-shm", ".lock")]
        journal += self.path.glob("journal-models/*")  # the state of an earlier run knows times that are still to come
        logs = [self.log(program) for program in ("simulate", "dashboard", "detect")]
        mine = [self.simulator, self.detector, self.truth, *store, *journal, *logs, *map(self.model, MODELS)]
        for path in [*mine, self.summary("normal"), self.summary("live")]:
            path.unlink(missing_ok=True)


def write_simulator(
    folder: Folder,
    broker: BrokerConfig,
    *,
    start: str,
    seed: int,
    speed: float,
    normal_rows: int,
    live_rows: int | None,
) -> None:
    """Devices that behave for `normal_rows`, then fail on schedule for `live_rows` (None = without end)."""
    end = None if live_rows is None else float(normal_rows + live_rows)
    text = SIMULATOR.format(
        name=folder.simulator.name,
        broker=broker,
        start=start,
        speed=speed,
        seed=seed,
        day_s=DAY_S,
        duration="" if end is None else f"duration_s = {end}\n",
        first_s=normal_rows + FIRST_FAULT_S,
        last="" if end is None else f"last_s = {end}\n",
    )
    folder.simulator.write_text(text, encoding="utf-8")


def write_detector(folder: Folder, broker: BrokerConfig, port: int) -> None:
    """One fleet per kind of device, the SQLite store, the page's port."""
    fleets = "".join(
        FLEET.format(model=json.dumps(str(folder.model(kind))), shape=shape) for kind, shape in MODELS.items()
    )
    text = DETECTOR.format(
        name=folder.detector.name,
        broker=broker,
        fleets=fleets,
        store=json.dumps(str(folder.store)),
        journal=json.dumps(str(folder.journal)),
        port=port,
        simulator=json.dumps(str(folder.simulator)),
    )
    folder.detector.write_text(text, encoding="utf-8")
