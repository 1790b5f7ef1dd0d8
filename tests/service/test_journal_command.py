"""`anomgan journal` beside a running service: what InfluxDB refused is shown, and arrives when it is retried."""

from pathlib import Path

import numpy as np
import orjson
import pytest
from contract import normal_series
from programs import PATIENCE_S, anomgan, detecting
from servers import eventually, fetch, influxql

from anomgan.adapters.journal_operator import overview
from anomgan.adapters.mqtt import MqttPublisher
from anomgan.config import BrokerConfig, DetectorConfig, InfluxConfig
from anomgan.detector import Detector

WINDOW = 16


@pytest.fixture
def folder(tmp_path: Path, mosquitto: BrokerConfig, influxdb1: InfluxConfig) -> Path:
    """A small model and detector.toml, and a database in which a field of the scores is text."""
    config = DetectorConfig(window=WINDOW, stride=1, steps=60, latent=4, width=8, batch=16, device="cpu")
    Detector.fit(normal_series(600, seed=0), config).save(tmp_path / "pump.safetensors")
    (tmp_path / "detector.toml").write_text(f"""
[broker]
host = "{mosquitto.host}"
port = {mosquitto.port}
[[fleets]]
model = "pump.safetensors"
topic = "plant/{{device}}/telemetry"
[store.sqlite]
path = "anomgan.db"
[store.influx]
url = "{influxdb1.url}"
version = 1
database = "{influxdb1.database}"
""")
    query(influxdb1, f"CREATE DATABASE {influxdb1.database}")
    line = b'anomaly_score,device=other surprise="text" 1700000000000000'
    post(influxdb1, line)
    return tmp_path


def query(config: InfluxConfig, text: str) -> None:
    fetch(f"{config.url}/query", {"db": config.database, "q": text})


def post(config: InfluxConfig, line: bytes) -> None:
    import urllib.request

    url = f"{config.url}/write?db={config.database}&precision=u"
    with urllib.request.urlopen(url, line, timeout=10) as answer:  # noqa: S310 our own server
        assert answer.status == 204


def scores(config: InfluxConfig) -> list[float]:
    found = influxql(config, "SELECT surprise FROM anomaly_score WHERE device = 'p1'")
    return [float(row["surprise"]) for row in found]


def quarantined(folder: Path) -> int:
    path = folder / "anomgan-journal.db"
    return sum(one.parts for one in overview(path).refused) if path.exists() else 0


def test_what_a_type_conflict_kept_out_arrives_after_a_retry(
    folder: Path, mosquitto: BrokerConfig, influxdb1: InfluxConfig
) -> None:
    series = normal_series(WINDOW + 9, seed=1)
    due, examined = Detector.load(folder / "pump.safetensors").examine(series)
    with detecting(folder) as service:
        publisher = MqttPublisher(mosquitto)
        for time_s, row in zip(series.times.tolist(), series.values.tolist(), strict=True):
            content = {"ts": time_s, **dict(zip(series.channels, row, strict=True))}
            publisher.publish("plant/p1/telemetry", orjson.dumps(content))
        assert publisher.flush(PATIENCE_S)
        publisher.close()
        eventually(lambda: quarantined(folder) == len(due), "every score is in quarantine", PATIENCE_S)
        assert "`anomgan journal` shows them" in service.said()
        assert "already exists as type string" in anomgan(folder, "anomgan journal detector.toml").stdout
        shown = anomgan(folder, "anomgan journal detector.toml show").stdout.splitlines()
        assert [line.split()[:2] for line in shown] == [[str(number), "influx"] for number in range(1, len(due) + 1)]
        assert all("HTTP 400: " in line and "| anomaly_score,device=p1" in line for line in shown)
        anomgan(folder, "anomgan journal detector.toml show --out refused.txt")

        anomgan(folder, "anomgan journal detector.toml retry 1")  # the cause is still there
        newest = str(len(due) + 1)
        eventually(
            lambda: anomgan(folder, "anomgan journal detector.toml show").stdout.splitlines()[-1].split()[0] == newest,
            "it has come back",
            PATIENCE_S,
        )
        assert quarantined(folder) == len(due)

        query(influxdb1, "DROP MEASUREMENT anomaly_score")
        anomgan(folder, f"anomgan journal detector.toml drop {newest}")
        said = anomgan(folder, "anomgan journal detector.toml retry").stdout
        assert f"{len(due) - 1} parts of influx" in said
        eventually(lambda: len(scores(influxdb1)) == len(due) - 1, "what was retried has arrived", PATIENCE_S)
        assert quarantined(folder) == 0
        assert service.end() == 0
    np.testing.assert_allclose(scores(influxdb1), examined.surprise[1:], atol=1e-3)
    lines = (folder / "refused.txt").read_bytes()
    post(influxdb1, lines)  # the file has them all, also the one that was dropped
    np.testing.assert_allclose(scores(influxdb1), examined.surprise, atol=1e-3)
