"""The detector service ends, is killed, and loses a database for a while: it comes back and has lost nothing."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from contract import normal_series
from detector_program import (
    STRIDE,
    WINDOW,
    adds_up,
    await_messages,
    counters,
    dropped,
    folder,
    newest_s,
    publisher,
    pump_model,
    send,
    stored,
    write_config,
)
from programs import PATIENCE_S, detecting
from servers import Server, eventually, free_port, influxdb1_server, influxql

from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.sqlite_read import open_reader
from anomgan.config import BrokerConfig, InfluxConfig
from anomgan.detector import Detector

__all__ = ["folder", "publisher", "pump_model"]  # fixtures


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_ends_with_status_0_and_says_its_totals(
    folder: Path, mosquitto: BrokerConfig, publisher: MqttPublisher, how: signal.Signals
) -> None:
    with closing(MqttSource(mosquitto, [("anomgan/status", 1)])) as listener, detecting(folder) as service:
        statuses: list[bytes] = []

        def told(status: bytes) -> bool:
            statuses.extend(message.payload for message in listener.receive(10, 0.1))
            return status in statuses

        eventually(lambda: told(b"online"), "it is online")
        published = send(publisher, normal_series(20, seed=1))
        await_messages(folder, published)
        assert service.end(how) == 0
        eventually(lambda: told(b"offline"), "it is offline")
    assert f"messages_received {published};" in service.said()
    assert stored(folder).verdicts > 0


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, InfluxConfig]]:
    """An InfluxDB of one's own, to be killed and started again."""
    port = free_port()
    server = influxdb1_server(tmp_path_factory.mktemp("influxdb1"), port)
    server.start()
    yield server, InfluxConfig(url=f"http://127.0.0.1:{port}", version=1)
    server.stop()


@pytest.fixture
def two_stores(
    tmp_path: Path, mosquitto: BrokerConfig, pump_model: Path, database: tuple[Server, InfluxConfig]
) -> Path:
    """A folder whose detector.toml has the SQLite store and that database."""
    more = f'[store.influx]\nurl = "{database[1].url}"\nversion = 1'
    write_config(tmp_path, mosquitto, pump_model, more=more)
    return tmp_path


def scores_in(config: InfluxConfig) -> int:
    if config.database not in (row["name"] for row in influxql(config, "SHOW DATABASES")):
        return 0  # the first write makes it
    found = influxql(config, "SELECT count(surprise) AS scores FROM anomaly_score")
    return int(found[0]["scores"]) if found else 0


def test_killed_while_the_database_is_away_it_goes_on_where_it_was_and_delivers_what_waited(
    two_stores: Path, publisher: MqttPublisher, pump_model: Path, database: tuple[Server, InfluxConfig]
) -> None:
    server, config = database
    series = normal_series(60, seed=1)
    due, _ = Detector.load(pump_model).examine(series)
    with detecting(two_stores) as service:
        send(publisher, series[:20])
        await_messages(two_stores, 20)
        server.kill()
        send(publisher, series[20:40])
        await_messages(two_stores, 40)
        service.await_words("waits in the journal")
        assert f"InfluxDB {config.url}" in service.said()
        service.kill()
    send(publisher, series[40:])
    server.start()
    with detecting(two_stores) as service:
        eventually(lambda: newest_s(two_stores) == series.times[-1], "all is stored", PATIENCE_S)
        eventually(lambda: scores_in(config) == len(due), "every score is in the database", PATIENCE_S)
        assert "1 devices known" in service.said()
        assert service.end() == 0
    totals = counters(two_stores)
    # what was stored but not yet acknowledged when it was killed comes again, and is an old message to its state
    assert 60 <= totals["messages_received"] <= 80
    assert sum(dropped(totals).values()) == totals["messages_received"] - 60
    assert adds_up(totals, totals["messages_received"])
    assert totals["readings_scored"] == len(series) - WINDOW + 1  # one warm-up, before the first kill
    with open_reader(two_stores / "anomgan.db") as reader:
        history = reader.history("", "p1", points=1000)
    assert history is not None
    assert len(np.unique(history.times)) == len(history.times) == len(series) // STRIDE
    np.testing.assert_array_equal(history.times[~np.isnan(history.surprise)], series.times[due])


def test_a_database_that_goes_and_comes_back_loses_nothing(
    two_stores: Path, publisher: MqttPublisher, pump_model: Path, database: tuple[Server, InfluxConfig]
) -> None:
    server, config = database
    series = normal_series(40, seed=1)
    due, _ = Detector.load(pump_model).examine(series)
    with detecting(two_stores) as service:
        send(publisher, series[:20])
        await_messages(two_stores, 20)
        server.kill()
        send(publisher, series[20:])
        await_messages(two_stores, 40)  # which were acknowledged: a database that is away holds up nobody
        service.await_words("waits in the journal")
        assert f"InfluxDB {config.url}" in service.said()
        server.start()
        eventually(lambda: scores_in(config) == len(due), "every score is in the database", PATIENCE_S)
        assert service.end() == 0
    assert adds_up(counters(two_stores), 40)
