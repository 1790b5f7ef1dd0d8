"""`anomgan train --from-mqtt` and `--from-influx`.

Against a real broker, a real InfluxDB 1.x, and the answers that InfluxDB 2.x documents.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Literal

import orjson
import pytest
import urllib3
from contract import CHANNELS, normal_series
from programs import PATIENCE_S, Program, anomgan
from servers import fetch

from anomgan.adapters.influx_history import read_history
from anomgan.adapters.mqtt import MqttPublisher
from anomgan.config import BrokerConfig, InfluxConfig
from anomgan.detector import Detector
from anomgan.errors import Refused, Unreachable
from anomgan.wire.history_query import HistoryQuery

SMALL = "--window 16 --steps 40"


def write_config(
    folder: Path,
    broker: BrokerConfig | None = None,
    influx: InfluxConfig | None = None,
    fleet: str = "",
    elsewhere: BrokerConfig | None = None,
) -> None:
    port = broker.port if broker else 1
    store = 'sqlite = { path = "anomgan.db" }'
    if influx is not None:
        store = f'influx = {{ url = "{influx.url}", version = {influx.version}, database = "{influx.database}" }}'
    named = (
        ""
        if elsewhere is None
        else f"""
[[brokers]]
name = "elsewhere"
host = "127.0.0.1"
port = {elsewhere.port}
"""
    )
    (folder / "detector.toml").write_text(f"""
store = {{ {store} }}
[broker]
host = "127.0.0.1"
port = {port}
{named}
[[fleets]]
model = "pump.safetensors"
topic = "plant/a/{{device}}"
[[fleets]]
model = "pump.safetensors"
{fleet or 'topic = "plant/b/{device}"'}
""")


def test_recording_ends_with_ctrl_c_and_trains_with_what_is_there(tmp_path: Path, mosquitto: BrokerConfig) -> None:
    write_config(tmp_path, mosquitto)
    command = f"train --from-mqtt 1h --config detector.toml --fleet 1 {SMALL} --out pump.safetensors".split()
    recording = Program(tmp_path, command, tmp_path / "train.log")
    recording.await_words("listening to plant/b/{device} for 3600 s")
    with closing(MqttPublisher(mosquitto)) as publisher:
        for device, seed in (("p1", 0), ("p2", 1)):
            series = normal_series(150, seed)
            for at, row in zip(series.times.tolist(), series.values.tolist(), strict=True):
                body = orjson.dumps({"ts": at, **dict(zip(series.channels, row, strict=True))})
                publisher.publish(f"plant/b/{device}", body)
                publisher.publish(f"plant/a/{device}", b"of the other fleet")
        publisher.publish("plant/b/p1", b"hello")
        assert publisher.flush(PATIENCE_S)
    recording.await_words("300 readings of 2 devices")
    assert recording.end(signal.SIGINT) == 0
    said = recording.said()
    assert "300 rows of 2 devices, 1 s apart, channels flow, pressure, temperature" in said
    assert "dropped.broken_json 1" in said
    assert "not yet: 300 of 1,280 rows of all devices" in said
    detector = Detector.load(tmp_path / "pump.safetensors")
    assert set(detector.channels) == set(CHANNELS)
    assert detector.summary["series"] == 2


def test_recording_ends_by_itself_and_single_metrics_are_put_together(tmp_path: Path, mosquitto: BrokerConfig) -> None:
    write_config(tmp_path, mosquitto, fleet='topic = "plant/c/{device}/{channel}"\ndialect = "metric"')
    command = f"train --from-mqtt 20s --config detector.toml --fleet 1 {SMALL} --out pump.safetensors".split()
    recording = Program(tmp_path, command, tmp_path / "train.log")
    recording.await_words("listening to")
    series = normal_series(200, 0)
    with closing(MqttPublisher(mosquitto)) as publisher:
        for at, row in zip(series.times.tolist(), series.values.tolist(), strict=True):
            for name, value in zip(series.channels, row, strict=True):
                publisher.publish(f"plant/c/p1/{name}", orjson.dumps({"ts": at, "value": value}))
    assert recording.process.wait(PATIENCE_S) == 0
    assert "200 rows of 1 device, 1 s apart, channels flow, pressure, temperature" in recording.said()


def test_a_fleet_is_recorded_at_its_own_broker_and_not_at_that_of_another(
    tmp_path: Path, mosquitto: BrokerConfig
) -> None:
    nobody = BrokerConfig(host="127.0.0.1", port=1)
    fleet = 'topic = "plant/a/{device}"\nbroker = "elsewhere"'
    write_config(tmp_path, nobody, fleet=fleet, elsewhere=mosquitto)
    command = f"train --from-mqtt 1h --config detector.toml --fleet 1 {SMALL} --out pump.safetensors".split()
    recording = Program(tmp_path, command, tmp_path / "train.log")
    recording.await_words("listening to plant/a/{device} for 3600 s")
    series = normal_series(150, 0)
    with closing(MqttPublisher(mosquitto)) as publisher:
        for at, row in zip(series.times.tolist(), series.values.tolist(), strict=True):
            publisher.publish("plant/a/p1", orjson.dumps({"ts": at, **dict(zip(series.channels, row, strict=True))}))
        assert publisher.flush(PATIENCE_S)
    recording.await_words("150 readings of 1 device")
    assert recording.end(signal.SIGINT) == 0


def test_a_broker_that_sends_nothing_is_said_so(tmp_path: Path, mosquitto: BrokerConfig) -> None:
    write_config(tmp_path, mosquitto)
    recording = Program(
        tmp_path,
        ["train", "--from-mqtt", "1s", "--config", "detector.toml", "--out", "m.safetensors"],
        tmp_path / "train.log",
    )
    assert recording.process.wait(PATIENCE_S) == 2
    assert recording.said().splitlines()[-1] == "anomgan: error: not a single reading came"


@pytest.fixture
def filled(influxdb1: InfluxConfig) -> InfluxConfig:
    """Two pumps in a hall and one that is elsewhere, with fields that are no channels and one that comes seldom."""
    fetch(f"{influxdb1.url}/query", {"q": f'CREATE DATABASE "{influxdb1.database}"'})
    lines = []
    for device, hall, seed in (("p 1", "north", 0), ("p2", "north", 1), ("p3", "south", 2)):
        series = normal_series(200, seed)
        for number, (at, row) in enumerate(zip(series.times.tolist(), series.values.tolist(), strict=True)):
            fields = ",".join(f"{name}={value}" for name, value in zip(series.channels, row, strict=True))
            note = ',note="all well"' + (",battery=3i" if number == 7 else "")
            name = device.replace(" ", "\\ ")
            lines.append(f"pump,pump_id={name},hall={hall} {fields}{note} {round(at * 1e9)}")
    answer = urllib3.request("POST", f"{influxdb1.url}/write?db={influxdb1.database}", body="\n".join(lines).encode())
    assert answer.status == 204
    return influxdb1


def test_a_real_influxdb_1_is_read(tmp_path: Path, filled: InfluxConfig) -> None:
    write_config(tmp_path, influx=filled)
    asked = f"bucket {filled.database} range 2023-11-14/2023-11-15 measurement pump device pump_id where hall=north"
    done = anomgan(
        tmp_path, f'anomgan train --from-influx "{asked}" --config detector.toml {SMALL} --out pump.safetensors'
    )
    assert "400 rows of 2 devices, 1 s apart, channels flow, pressure, temperature" in done.stdout
    assert "left out, for they come too seldom: battery" in done.stdout
    query = HistoryQuery(filled.database, 1.7e9 + 50, 1.7e9 + 60, "pump", "pump_id", ("flow",))
    readings = list(read_history(filled, query))
    assert {reading.device for reading in readings} == {"p 1", "p2", "p3"}
    series = normal_series(200, 0)
    mine = [reading for reading in readings if reading.device == "p 1"]
    assert [reading.time_s for reading in mine] == series.times[50:60].tolist()
    assert [reading.values["flow"] for reading in mine] == series.values[50:60, 1].tolist()


def test_what_an_influxdb_1_refuses_is_said(
    influxdb1_with_password: InfluxConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = HistoryQuery("nowhere", 0.0, 1.0, "pump")
    with pytest.raises(Refused, match=r"nowhere.*database not found"):
        list(read_history(influxdb1_with_password, query))
    monkeypatch.setenv("PLANT_PASSWORD", "wrong")
    with pytest.raises(Refused, match="HTTP 401"):
        list(read_history(influxdb1_with_password, query))
    away = influxdb1_with_password.model_copy(update={"url": "http://127.0.0.1:9"})
    with pytest.raises(Unreachable, match="connection refused"):
        list(read_history(away, query))


ANNOTATED = """#datatype,string,long,dateTime:RFC3339,double,string,string\r
#group,false,false,false,false,true,true\r
#default,_result,,,,,\r
,result,table,_time,_value,_field,device\r
,,0,2026-01-01T00:00:00Z,31.5,flow,p1\r
,,0,2026-01-01T00:00:01.5Z,32.5,flow,p1\r
\r
#datatype,string,long,dateTime:RFC3339,long,string,string\r
#group,false,false,false,false,true,true\r
#default,_result,,,,,\r
,result,table,_time,_value,_field,device\r
,,1,2026-01-01T00:00:00Z,2,pressure,p1\r
\r
#datatype,string,long,dateTime:RFC3339,string,string,string\r
#group,false,false,false,false,true,true\r
#default,_result,,,,,\r
,result,table,_time,_value,_field,device\r
,,2,2026-01-01T00:00:00Z,all well,note,p1\r
\r
"""
"""annotated CSV, as `/api/v2/query` answers"""


@contextmanager
def answering(status: int, body: str) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says what InfluxDB 2 documents; its address, and the bodies it was sent."""
    asked: list[bytes] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"] or 0)))
            self.send_response(status)
            self.send_header("Content-Type", "text/csv; charset=utf-8" if status == 200 else "application/json")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST  # noqa: N815 the name that http.server calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_influxdb_2_documents_is_read() -> None:
    query = HistoryQuery("plant", 0.0, 2e9, "pump")
    with answering(200, ANNOTATED) as (url, asked):
        readings = list(read_history(InfluxConfig(url=url, version=2), query))
    assert [(one.device, one.time_s, dict(one.values)) for one in readings] == [
        ("p1", 1_767_225_600.0, {"flow": 31.5, "pressure": 2.0}),
        ("p1", 1_767_225_601.5, {"flow": 32.5}),
    ]
    assert orjson.loads(asked[0])["query"].startswith('from(bucket: "plant") |> range(start: 1970-01-01T00:00:00')


def test_what_influxdb_2_refuses_is_said() -> None:
    body = '{"code": "unauthorized", "message": "unauthorized access"}'
    with answering(401, body) as (url, _), pytest.raises(Refused, match="HTTP 401: unauthorized access"):
        list(read_history(InfluxConfig(url=url, version=2), HistoryQuery("plant", 0.0, 2e9, "pump")))


SIGN_IN = "<!doctype html>\n\n<title>Sign in</title>"
OF_ANOTHER_SHAPE = [
    "7",
    "[]",
    "{}",
    '{"results": 7}',
    '{"results": [{"series": [{"values": [["soon", 1]]}]}]}',
    "[" * 9999,
]
"""what proxies and other servers answer with status 200"""


@pytest.mark.parametrize("body", [SIGN_IN, *OF_ANOTHER_SHAPE])
@pytest.mark.parametrize("version", [1, 2])
def test_an_answer_of_another_kind_is_refused_with_what_came(version: Literal[1, 2], body: str) -> None:
    with answering(200, body) as (url, _), pytest.raises(Refused, match=f"InfluxDB {url} .*its answer is none that"):
        list(read_history(InfluxConfig(url=url, version=version), HistoryQuery("plant", 0.0, 2e9, "pump")))


def test_what_came_is_shown() -> None:
    with answering(200, SIGN_IN) as (url, _), pytest.raises(Refused, match="<!doctype html>"):
        list(read_history(InfluxConfig(url=url, version=1), HistoryQuery("plant", 0.0, 2e9, "pump")))
