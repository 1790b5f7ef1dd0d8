"""The detector service learns by itself, with a real broker: from nothing to events, through kills and bad files."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import psutil
import pytest
from contract import normal_series, with_fault
from programs import PATIENCE_S, anomgan, command, detecting
from servers import eventually

from anomgan.adapters.model_folder import ModelFolder
from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.ports import Message
from anomgan.adapters.sqlite_read import open_reader
from anomgan.adapters.sqlite_training import TrainingHistory
from anomgan.config import BrokerConfig
from anomgan.records import TimeSeries

WINDOW = 16
ENOUGH = 1280
"""rows: twenty held-out windows of sixteen rows, in the last quarter"""


def write_config(folder: Path, broker: BrokerConfig, learn: str = "", more: str = "") -> None:
    (folder / "detector.toml").write_text(f"""
[broker]
host = "{broker.host}"
port = {broker.port}
client_id = "detector"

[[fleets]]
model = "models/pumps/"
topic = "plant/{{device}}/telemetry"
alarms_per_week = 1000

[fleets.learn]
window = {WINDOW}
steps = 60
say_every_s = 0.2
{learn}

[store.sqlite]
path = "anomgan.db"

[journal]
snapshot_s = 5.0
{more}
""")


@pytest.fixture
def folder(tmp_path: Path, mosquitto: BrokerConfig) -> Path:
    write_config(tmp_path, mosquitto)
    return tmp_path


@pytest.fixture
def publisher(mosquitto: BrokerConfig) -> Iterator[MqttPublisher]:
    with closing(MqttPublisher(mosquitto)) as publisher:
        yield publisher


def send(publisher: MqttPublisher, series: TimeSeries, device: str = "p1") -> None:
    for time_s, row in zip(series.times.tolist(), series.values.tolist(), strict=True):
        payload = orjson.dumps({"ts": time_s, **dict(zip(series.channels, row, strict=True))})
        publisher.publish(f"plant/{device}/telemetry", payload)
    assert publisher.flush(PATIENCE_S)


def gathered(folder: Path) -> int:
    with closing(TrainingHistory(f"{folder}/models/pumps/")) as history:
        return sum(history.rows().values())


def newest_score_s(folder: Path) -> float:
    with open_reader(folder / "anomgan.db") as reader:
        return reader.summary().newest_s or 0.0


def totals(folder: Path) -> dict[str, int]:
    if not (folder / "anomgan.db").exists():
        return {}
    with open_reader(folder / "anomgan.db") as reader:
        return reader.counters()


def manifest(folder: Path) -> ModelFolder:
    return ModelFolder(folder / "models" / "pumps")


def test_from_an_empty_broker_to_events_without_anybody_doing_anything(
    folder: Path, mosquitto: BrokerConfig, publisher: MqttPublisher
) -> None:
    series = normal_series(ENOUGH + 400, seed=0)
    told: list[Message] = []

    def closed() -> bool:
        told.extend(listener.receive(100, 0.1))
        return any(orjson.loads(message.payload)["state"] == "closed" for message in told)

    with closing(MqttSource(mosquitto, [("anomgan/+/event", 1)])) as listener, detecting(folder) as service:
        service.await_words("history of 0 devices, 0 rows; not yet: 0 of 96 rows of one device")
        send(publisher, series[:600])
        service.await_words("600 rows; not yet: 600 of 1,280 rows of all devices; the last 25% of them calibrate")
        listed = anomgan(folder, "anomgan models list detector.toml").stdout
        assert "not yet: 600 of 1,280 rows of all devices" in listed
        assert "2 cycles of 60 s in" in listed or "2 cycles of" in listed
        send(publisher, series[600:ENOUGH])
        service.await_words("training begins in the background")
        service.await_words("model pumps-0001")
        live = with_fault(series[ENOUGH:], 200, 240)
        send(publisher, live)
        eventually(closed, "an event of the fault closes", PATIENCE_S)
        assert service.end() == 0
    events = [orjson.loads(message.payload) for message in told]
    assert any("flow is 2 where" in event["reason"] for event in events)
    assert {event["model"] for event in events} == {"pumps-0001"}
    counted = totals(folder)
    assert counted["readings_gathered"] == ENOUGH
    # the history fills the windows, so there is no second warm-up
    assert counted["readings_scored"] == len(live)
    assert "readings_warming_up" not in counted
    assert gathered(folder) == len(series)


def test_killed_while_it_gathers_and_while_it_trains_it_loses_nothing(folder: Path, publisher: MqttPublisher) -> None:
    write_config(folder, publisher._connection.config, learn="")
    text = (folder / "detector.toml").read_text().replace("steps = 60", "steps = 400")
    (folder / "detector.toml").write_text(text)
    series = normal_series(ENOUGH + 100, seed=0)
    with detecting(folder) as service:
        send(publisher, series[:500])
        eventually(lambda: totals(folder).get("messages_received", 0) >= 100, "some are stored", PATIENCE_S)
        service.kill()
    send(publisher, series[500:ENOUGH])
    with detecting(folder) as service:
        service.await_words("training begins in the background")
        service.kill()
    (orphan,) = [p for p in psutil.process_iter(["cmdline"]) if str(folder) in _working(p) and "train" in p.cmdline()]
    assert orphan.nice() == 19
    orphan.kill()
    psutil.wait_procs([orphan], PATIENCE_S)
    assert gathered(folder) == ENOUGH
    assert manifest(folder).read().champion is None
    with detecting(folder) as service:
        send(publisher, series[ENOUGH:])  # ingestion goes on beside the training
        eventually(lambda: gathered(folder) == len(series), "all are gathered", PATIENCE_S)
        service.await_words("model pumps-0001")
        send(publisher, normal_series(40, seed=1, start_s=float(series.times[-1]) + 1.0))
        eventually(lambda: newest_score_s(folder) > series.times[-1] + 30, "it scores", PATIENCE_S)
        assert service.end() == 0
    with closing(TrainingHistory(f"{folder}/models/pumps/")) as history:
        kept = [reading.time_s for reading in history.readings()]
    assert kept[: len(series)] == series.times.tolist()


def _working(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except psutil.Error:
        return ""


def learned(folder: Path, models: int = 1) -> TimeSeries:
    """A folder with models trained from a history, as if a service had been there; the history."""
    series = normal_series(ENOUGH, seed=0)
    from anomgan.adapters.ports import Batch
    from anomgan.records import Reading

    with closing(TrainingHistory(f"{folder}/models/pumps/", partial=False)) as history:
        rows = zip(series.times.tolist(), series.values.tolist(), strict=True)
        readings = [Reading("p1", at, dict(zip(series.channels, row, strict=True))) for at, row in rows]
        history.write(Batch(gathered={history.folder: readings}))
    for seed in range(models):
        anomgan(folder, f"anomgan models train detector.toml --seed {seed}")
    return series


def test_a_challenger_is_judged_in_the_shadow_promoted_and_reverted_while_the_service_runs(
    folder: Path, publisher: MqttPublisher
) -> None:
    series = learned(folder, models=2)
    live = normal_series(600, seed=3, start_s=float(series.times[-1]) + 1000.0)
    with detecting(folder) as service:
        send(publisher, live[:200])
        eventually(lambda: newest_score_s(folder) == live.times[199], "it scores", PATIENCE_S)

        def shown() -> str:
            return anomgan(folder, "anomgan models list detector.toml").stdout

        report = eventually(lambda: (text := shown()) and "agreement" in text and text, "a report", PATIENCE_S)
        for words in ("champion", "challenger", "pumps-0002 beside pumps-0001", "µs a window", "does not promote it"):
            assert words in report
        assert re.search(r"shadow: .* \d+ windows", report)
        anomgan(folder, "anomgan models promote detector.toml --reason 'it looks good'")
        service.await_words("model pumps-0002")
        eventually(lambda: "pumps-0001 (" in service.said() and "did until now" in service.said(), "it is said")
        send(publisher, live[200:400])
        eventually(lambda: newest_score_s(folder) == live.times[399], "it scores on", PATIENCE_S)
        anomgan(folder, "anomgan models revert models/pumps")
        eventually(lambda: service.said().count("did until now") == 2, "it is reverted", PATIENCE_S)
        send(publisher, live[400:])
        eventually(lambda: newest_score_s(folder) == live.times[-1], "it scores on", PATIENCE_S)
        assert service.end() == 0
    counted = totals(folder)
    assert counted["readings_scored"] == len(live) - WINDOW + 1, "one warm-up, before the first promotion"
    changes = manifest(folder).read().changes
    assert [(one.what, one.number) for one in changes] == [
        ("trained", 1),
        ("promoted", 1),
        ("trained", 2),
        ("promoted", 2),
        ("reverted", 1),
    ]
    assert changes[3].reason == "it looks good"


def test_a_challenger_is_trained_when_the_newest_model_is_old_and_does_not_judge(
    folder: Path, mosquitto: BrokerConfig
) -> None:
    write_config(folder, mosquitto, learn="retrain_h = 0.0005\nshadow_h = 0.0005")
    learned(folder)
    with detecting(folder) as service:
        service.await_words("the newest model is older than learn.retrain_h")
        service.await_words("it is the challenger")
        service.await_words("pumps-0002")
        service.await_words("looks on from its shadow")
        assert service.end() == 0
    assert manifest(folder).read().champion == 1


def test_a_bad_model_is_refused_in_one_line_and_the_old_one_goes_on(folder: Path, publisher: MqttPublisher) -> None:
    series = learned(folder)
    models = manifest(folder)
    models.model_path(2).write_bytes(models.model_path(1).read_bytes()[:5000])
    live = normal_series(100, seed=3, start_s=float(series.times[-1]) + 1000.0)
    done = subprocess.run(
        command(["models", "promote", "detector.toml", "2"]), cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "0002.safetensors: truncated" in done.stderr
    with detecting(folder) as service:
        send(publisher, live[:50])
        eventually(lambda: newest_score_s(folder) >= live.times[48], "it scores", PATIENCE_S)
        models.promote(2, models.model_path(2).read_bytes(), time.time(), "by force")
        service.await_words("0002.safetensors: truncated")
        send(publisher, live[50:])
        eventually(lambda: newest_score_s(folder) == live.times[-1], "the old one goes on", PATIENCE_S)
        assert service.end() == 0
    lines = [line for line in service.said().splitlines() if "0002.safetensors" in line]
    assert len(lines) == 1
    assert "nothing is changed, what judged goes on" in lines[0]
    assert totals(folder)["readings_scored"] == len(live) - WINDOW + 1


def test_a_changed_configuration_is_taken_up_and_a_bad_one_is_refused_whole(
    folder: Path, publisher: MqttPublisher
) -> None:
    series = learned(folder)
    live = normal_series(90, seed=3, start_s=float(series.times[-1]) + 1000.0)
    path = folder / "detector.toml"
    good = path.read_text()

    def thresholds() -> set[float]:
        with open_reader(folder / "anomgan.db") as reader:
            return {round(state.threshold, 3) for state in reader.fleet() if state.threshold is not None}

    with detecting(folder) as service:
        send(publisher, live[:30])
        eventually(lambda: newest_score_s(folder) >= live.times[28], "it scores", PATIENCE_S)
        before = thresholds()
        path.write_text(good.replace("alarms_per_week = 1000", "alarms_per_week = -1"))
        service.process.send_signal(signal.SIGHUP)
        service.await_words("fleets.0.alarms_per_week: Input should be greater than 0")
        path.write_text(good.replace("alarms_per_week = 1000", "alarms_per_week = 1").replace("5.0", "6.0"))
        service.await_words("journal.snapshot_s cannot change while the service runs")
        send(publisher, live[30:60])
        eventually(lambda: newest_score_s(folder) >= live.times[58], "it scores", PATIENCE_S)
        assert thresholds() == before
        path.write_text(good.replace("alarms_per_week = 1000", "alarms_per_week = 1"))
        service.await_words("settings changed")
        send(publisher, live[60:])
        eventually(lambda: newest_score_s(folder) == live.times[-1], "it scores", PATIENCE_S)
        assert max(thresholds()) > max(before) + 2.5
        assert service.end() == 0
    assert totals(folder)["readings_scored"] == len(live) - WINDOW + 1


def test_a_model_file_that_is_replaced_is_taken_up_and_a_broken_one_is_not(
    tmp_path: Path, mosquitto: BrokerConfig, publisher: MqttPublisher
) -> None:
    write_config(tmp_path, mosquitto)
    series = learned(tmp_path, models=2)
    models = manifest(tmp_path)
    model = tmp_path / "pump.safetensors"
    model.write_bytes(models.content(1))
    text = (tmp_path / "detector.toml").read_text()
    (tmp_path / "detector.toml").write_text(text.replace("models/pumps/", "pump.safetensors"))
    live = normal_series(90, seed=3, start_s=float(series.times[-1]) + 1000.0)
    with detecting(tmp_path) as service:
        send(publisher, live[:30])
        eventually(lambda: newest_score_s(tmp_path) >= live.times[28], "it scores", PATIENCE_S)
        model.write_bytes(models.content(2)[:3000])
        service.await_words("pump.safetensors: truncated")
        other = tmp_path / "new.safetensors"
        other.write_bytes(models.content(2))
        other.replace(model)
        service.await_words("did until now")
        send(publisher, live[30:60])
        eventually(lambda: newest_score_s(tmp_path) >= live.times[58], "it scores", PATIENCE_S)
        model.write_bytes(b"")  # and lost for good before a power cut
        service.kill()
    model.write_bytes(models.content(1))
    with detecting(tmp_path) as service:
        send(publisher, live[60:])
        eventually(lambda: newest_score_s(tmp_path) == live.times[-1], "it scores", PATIENCE_S)
        assert service.end() == 0
    assert totals(tmp_path)["readings_scored"] == len(live) - WINDOW + 1


def test_a_service_that_ends_while_it_trains_ends_its_child(folder: Path, publisher: MqttPublisher) -> None:
    text = (folder / "detector.toml").read_text().replace("steps = 60", "steps = 100000")
    (folder / "detector.toml").write_text(text)
    with detecting(folder) as service:
        send(publisher, normal_series(ENOUGH, seed=0))
        service.await_words("training begins in the background")
        assert service.end() == 0  # the test fails where a child is left
    assert gathered(folder) == ENOUGH
