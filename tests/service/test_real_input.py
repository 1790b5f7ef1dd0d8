"""The main job on real input: a pump bench, learned by command, replayed over MQTT, its fault found in two databases.

The command lines are those that a user types; only file names and addresses differ. One training serves all tests.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from programs import PATIENCE_S, anomgan, detecting
from servers import eventually, influxdb_received, influxql, victoria_export

from anomgan.adapters.files import read_csv
from anomgan.config import BrokerConfig, InfluxConfig
from anomgan.detector import Detector
from anomgan.records import Floats, TimeSeries

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "SKAB" / "valve1" / "0.csv"
NORMAL_ROWS = 400

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not RECORDED.exists(), reason=f"the recorded pump bench is not there: {RECORDED}"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pump.csv and the model learned from its first 400 rows, which are normal."""
    folder = tmp_path_factory.mktemp("bench")
    shutil.copy(RECORDED, folder / "pump.csv")
    done = anomgan(
        folder,
        "anomgan train pump.csv --time datetime --ignore anomaly,changepoint --rows :400 --out pump.safetensors",
    )
    assert "400 rows of 8 channels, 1 s apart, 2020-03-09 10:14:33" in done.stdout
    return folder


@pytest.fixture(scope="module")
def rest(folder: Path) -> TimeSeries:
    """The rows that the model has not seen, with their labels."""
    return read_csv(
        folder / "pump.csv", time="datetime", label="anomaly", ignore=["changepoint"], rows=slice(NORMAL_ROWS, None)
    )


def test_evaluate_finds_the_fault_and_draws_it(folder: Path) -> None:
    line = "anomgan evaluate pump.safetensors pump.csv --time datetime --label anomaly --rows 400:"
    done = anomgan(folder, f"{line} --json figures.json")
    assert "VUS-PR" in done.stdout
    figures = json.loads((folder / "figures.json").read_text())
    assert (figures["alarms"]["true_events"], figures["alarms"]["events_found"]) == (1, 1)
    assert min(figures["vus_pr"], figures["auc_pr"]) > 0.6  # random scores would have 0.54
    assert (folder / "pump-evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_score_writes_what_the_library_says(folder: Path, rest: TimeSeries) -> None:
    anomgan(folder, "anomgan score pump.safetensors pump.csv --time datetime --rows 400: --out scores.csv")
    written = read_csv(folder / "scores.csv")
    detector = Detector.load(folder / "pump.safetensors")
    np.testing.assert_array_equal(written.times, rest.times)
    np.testing.assert_allclose(written.values[:, 0], detector.score(rest), rtol=1e-5)


def test_inspect_names_the_channels_and_where_they_come_from(folder: Path) -> None:
    told = anomgan(folder, "anomgan inspect pump.safetensors").stdout
    for part in ("1, 400 rows, 1 s apart", "2020-03-09 10:14:33", "Accelerometer1RMS", "Volume Flow RateRMS"):
        assert part in told


# ---------------------------------------------------------------- live


@dataclass(frozen=True, slots=True)
class Flags:
    """What a database holds: scores by time, the times that are flagged, and (start, end) of the events."""

    surprise: dict[float, float]
    anomalous: set[float]
    events: list[tuple[float, float]]


def influxdb_flags(config: InfluxConfig) -> Flags:
    """By InfluxQL, over HTTP."""
    scores = influxql(config, "SELECT surprise, anomalous FROM anomaly_score WHERE device = 'pump'")
    events = influxql(config, 'SELECT "start", "end" FROM anomaly_event WHERE device = \'pump\'')
    return Flags(
        {row["time"] / 1e9: row["surprise"] for row in scores},
        {row["time"] / 1e9 for row in scores if row["anomalous"]},
        [(row["start"], row["end"]) for row in events],
    )


def victoria_flags(config: InfluxConfig) -> Flags:
    """By its export of raw series, where a flag is 0 or 1. Where it was written twice, the larger counts."""

    def column(name: str) -> dict[float, float]:
        found = victoria_export(config, f'{name}{{device="pump"}}')
        return dict(
            sorted((t / 1e3, v) for one in found for t, v in zip(one["timestamps"], one["values"], strict=True))
        )

    flagged, ends = column("anomaly_score_anomalous"), column("anomaly_event_end")
    return Flags(
        column("anomaly_score_surprise"),
        {time_s for time_s, flag in flagged.items() if flag},
        [(start_s, ends[time_s]) for time_s, start_s in column("anomaly_event_start").items()],
    )


def victoria_received(config: InfluxConfig) -> int:
    found = victoria_export(config, "anomgan_service_messages_received")
    return int(max((value for one in found for value in one["values"]), default=0))


def write_config(folder: Path, name: str, broker: BrokerConfig, store: InfluxConfig) -> str:
    """The detector's configuration with that store; the file's name."""
    (folder / f"{name}.toml").write_text(f"""
[broker]
host = "{broker.host}"
port = {broker.port}
client_id = "{name}"
[[fleets]]
model = "pump.safetensors"
topic = "plant/{{device}}/telemetry"
[store.influx]
url = "{store.url}"
version = {store.version}
database = "{store.database}"
[journal]
path = "{name}-journal.db"
[publish]
events = "{name}/{{device}}/event"
status = "{name}/status"
""")
    return f"{name}.toml"


def test_replayed_over_mqtt_the_fault_is_found_in_influxdb_and_in_victoriametrics(
    folder: Path, rest: TimeSeries, mosquitto: BrokerConfig, influxdb1: InfluxConfig, victoria: InfluxConfig
) -> None:
    one = write_config(folder, "to-influxdb", mosquitto, influxdb1)
    other = write_config(folder, "to-victoriametrics", mosquitto, victoria)
    with detecting(folder, one) as to_influxdb, detecting(folder, other) as to_victoria:
        anomgan(
            folder,
            "anomgan simulate --replay pump.csv --time datetime --rows 400: --speed 200 "
            f'--broker {mosquitto.host}:{mosquitto.port} --topic "plant/{{device}}/telemetry"',
        )
        eventually(lambda: influxdb_received(influxdb1) == len(rest), "InfluxDB has all", PATIENCE_S)
        eventually(lambda: victoria_received(victoria) == len(rest), "VictoriaMetrics has all", PATIENCE_S)
        assert (to_influxdb.end(), to_victoria.end()) == (0, 0)
    flags = {"InfluxDB": influxdb_flags(influxdb1), "VictoriaMetrics": victoria_flags(victoria)}

    # every score that was due is there, and both say the same
    detector = Detector.load(folder / "pump.safetensors")
    due, seen = detector.examine(rest)
    times = rest.times[due].tolist()
    for stored in flags.values():
        assert sorted(stored.surprise) == times
        np.testing.assert_allclose([stored.surprise[t] for t in times], seen.surprise, rtol=1e-5, atol=1e-5)
        assert stored.anomalous == set(rest.times[due[seen.surprise >= detector.threshold]].tolist())
    assert flags["InfluxDB"].anomalous == flags["VictoriaMetrics"].anomalous
    assert sorted(flags["InfluxDB"].events) == sorted(flags["VictoriaMetrics"].events)

    # the labelled fault is flagged, and by an event
    first_s, last_s = labelled_span(rest)
    for stored in flags.values():
        assert sum(first_s <= time_s <= last_s for time_s in stored.anomalous) > 10
        assert any(start_s <= last_s and end_s >= first_s for start_s, end_s in stored.events)


def labelled_span(series: TimeSeries) -> tuple[float, float]:
    """First and last time that are labelled anomalous."""
    assert series.labels is not None
    labelled: Floats = series.times[series.labels]
    return float(labelled[0]), float(labelled[-1])
