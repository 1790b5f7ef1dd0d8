"""`anomgan annotations` into an HTTP server that checks what Grafana checks, and into the real InfluxDB."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from listeners import serving
from programs import PATIENCE_S, Program, anomgan, command
from servers import eventually, free_port, influxql

from anomgan.adapters.mqtt import MqttPublisher
from anomgan.config import BrokerConfig, InfluxConfig

TOKEN = "glsa_s3cret"  # noqa: S105 the tests' own
START_MS = 1_704_067_200_000
TYPES: dict[str, type] = {"dashboardUID": str, "panelId": int, "time": int, "timeEnd": int, "tags": list, "text": str}


class GrafanaLike(ThreadingHTTPServer):
    """The documented part of Grafana's annotation API: GET, POST and PATCH, with a service account's token."""

    daemon_threads = True

    def __init__(self) -> None:
        self.kept: dict[int, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.broken = 0
        super().__init__(("127.0.0.1", 0), _Request)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def mistake(self, body: dict[str, Any]) -> str:
        """What Grafana would refuse, and what it would take and show wrongly."""
        unknown = body.keys() - TYPES.keys()
        wrong = [key for key, value in body.items() if type(value) is not TYPES.get(key)]
        if unknown or wrong:
            return f"bad request data: {sorted(unknown)} {wrong}"
        if not body.get("text"):
            return "Failed to save annotation: text field should not be empty"
        if body["time"] < 10**12 or body["timeEnd"] < body["time"]:
            return "times are milliseconds, in order"
        return "" if all(isinstance(tag, str) and 0 < len(tag) <= 100 for tag in body["tags"]) else "bad tags"


class _Request(BaseHTTPRequestHandler):
    server: GrafanaLike

    def do_GET(self) -> None:
        """Find: those that overlap the span and have all the tags."""
        url = urlsplit(self.path)
        asked = parse_qs(url.query)
        from_ms, to_ms, limit = (int(asked[key][0]) for key in ("from", "to", "limit"))
        place = {"dashboardUID": asked.get("dashboardUID"), "panelId": asked.get("panelId")}
        found = [
            {"id": number, "dashboardUID": "", "panelId": 0} | one
            for number, one in self.server.kept.items()
            if one["time"] <= to_ms and one["timeEnd"] >= from_ms and set(asked.get("tags", [])) <= set(one["tags"])
            if all(wanted is None or wanted == [str(one.get(key, ""))] for key, wanted in place.items())
        ]
        self.answer(url.path, found[:limit])

    def do_POST(self) -> None:
        """Add."""
        body = self.body()
        mistake = self.server.mistake(body)
        if mistake:
            self.answer(self.path, {"message": mistake}, 400)
            return
        number = len(self.server.kept) + 1
        self.server.kept[number] = body
        self.answer(self.path, {"message": "Annotation added", "id": number})

    def do_PATCH(self) -> None:
        """Change some of it."""
        path, _, number = self.path.rpartition("/")
        self.server.kept[int(number)] |= self.body()
        self.answer(path, {"message": "Annotation patched"})

    def body(self) -> dict[str, Any]:
        """What was sent."""
        assert self.headers["Content-Type"] == "application/json"
        found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return found

    def answer(self, path: str, document: object, status: int = 200) -> None:
        """As Grafana does, or why not."""
        self.server.asked.append(self.command)
        if path != "/api/annotations":
            status, document = 404, {"message": "Not found"}
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            status, document = 401, {"message": "Invalid API key"}
        elif self.server.broken:
            self.server.broken -= 1
            status, document = 503, {"message": "database is locked"}
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the same
        """Say nothing."""


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> Iterator[GrafanaLike]:
    monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
    with serving(GrafanaLike()) as server:
        yield server


def record(state: str, start: int, end: int, device: str = "p1") -> dict[str, Any]:
    span = {"start_s": START_MS / 1000 + start, "end_s": START_MS / 1000 + end}
    return {"state": state, "device": device, "site": "north", "kind": "leak", "channels": ["flow"], **span}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the truth of two faults, one of them over."""
    records = [record("begin", 10, 50), record("begin", 60, 90, "p2"), record("end", 10, 40)]
    (tmp_path / "truth.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    return tmp_path


def spans(grafana: GrafanaLike) -> list[tuple[int, int]]:
    """Beginning and end of each that is kept, in seconds of the run."""
    return sorted(
        ((one["time"] - START_MS) // 1000, (one["timeEnd"] - START_MS) // 1000) for one in grafana.kept.values()
    )


def test_every_fault_becomes_a_region_once_however_often_it_is_told(folder: Path, grafana: GrafanaLike) -> None:
    line = f"anomgan annotations truth.jsonl --grafana {grafana.url} --dashboard pumps --panel 2"
    assert "2 added in Grafana" in anomgan(folder, line).stdout
    assert spans(grafana) == [(10, 40), (60, 90)]
    assert grafana.kept[1] == {
        "dashboardUID": "pumps",
        "panelId": 2,
        "time": START_MS + 10_000,
        "timeEnd": START_MS + 40_000,
        "tags": ["anomgan-truth", "fault:leak", "device:p1", "site:north"],
        "text": "north/p1: leak of flow",
    }
    assert "2 there in Grafana" in anomgan(folder, line).stdout
    assert len(grafana.kept) == 2
    assert grafana.asked.count("POST") == 2
    assert "2 added in Grafana" in anomgan(folder, line.partition(" --dashboard")[0]).stdout
    assert [one.get("dashboardUID", "") for one in grafana.kept.values()] == ["pumps", "pumps", "", ""]


def test_a_wrong_token_or_address_is_one_line_and_status_2(
    folder: Path, grafana: GrafanaLike, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", "wrong")
    for url, said in (
        (grafana.url, "the token may not read and write annotations; HTTP 401: Invalid API key"),
        (f"http://127.0.0.1:{free_port()}", "connection refused"),
        ("localhost:3000", "does not begin with http://"),
    ):
        arguments = ["annotations", "truth.jsonl", "--grafana", url]
        done = subprocess.run(
            command(arguments), cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        assert done.returncode == 2
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "wrong" not in done.stderr
    assert grafana.kept == {}


def test_followed_live_a_fault_is_there_when_it_begins_and_gets_its_true_end(
    tmp_path: Path, mosquitto: BrokerConfig, grafana: GrafanaLike
) -> None:
    grafana.broken = 1
    where = f"{mosquitto.host}:{mosquitto.port}"
    program = Program(tmp_path, ["annotations", "--follow", where, "--grafana", grafana.url], tmp_path / "log")
    try:
        program.await_words("following")
        with closing(MqttPublisher(mosquitto)) as publisher:
            publisher.publish("anomgan/truth/p1", b"nonsense")
            publisher.publish("anomgan/truth/p1", orjson.dumps(record("begin", 10, 50)))
            eventually(lambda: spans(grafana) == [(10, 50)], "it begins", PATIENCE_S)
            publisher.publish("anomgan/truth/p1", orjson.dumps(record("end", 10, 45)))
            eventually(lambda: spans(grafana) == [(10, 45)], "it ends", PATIENCE_S)
            publisher.publish("anomgan/truth/p1", orjson.dumps(record("begin", 10, 50)))  # late, and again
            publisher.publish("anomgan/truth/p2", orjson.dumps(record("end", 60, 90, "p2")))
            eventually(lambda: len(spans(grafana)) == 2, "the next is there", PATIENCE_S)
            assert spans(grafana) == [(10, 45), (60, 90)]
        assert program.end(signal.SIGINT) == 0
    finally:
        if program.process.poll() is None:
            program.kill()
    assert "2 faults, 2 added in Grafana, 1 moved in Grafana, 1 not read (broken json)" in program.said()
    assert "database is locked; it is tried again" in program.said()


def test_a_grafana_annotation_query_on_influxdb_finds_the_regions(folder: Path, influxdb1: InfluxConfig) -> None:
    (folder / "detector.toml").write_text(f"""
[[fleets]]
model = "pump.safetensors"
topic = "plant/{{device}}/telemetry"
[store.influx]
url = "{influxdb1.url}"
version = 1
database = "{influxdb1.database}"
""")
    for _ in range(2):  # writing again changes nothing
        assert (
            "2 written to InfluxDB" in anomgan(folder, "anomgan annotations truth.jsonl --influx detector.toml").stdout
        )
    when = f"time >= {START_MS}ms AND time <= {START_MS + 100_000}ms"  # what Grafana puts for $timeFilter
    rows = influxql(influxdb1, f"SELECT title, text, tags, timeEnd FROM truth WHERE {when}")  # noqa: S608 our own
    assert rows == [
        {
            "time": (START_MS + 10_000) * 10**6,
            "title": "leak",
            "text": "north/p1: leak of flow",
            "tags": "anomgan-truth,fault:leak,device:p1,site:north",
            "timeEnd": START_MS + 40_000,
        },
        {
            "time": (START_MS + 60_000) * 10**6,
            "title": "leak",
            "text": "north/p2: leak of flow",
            "tags": "anomgan-truth,fault:leak,device:p2,site:north",
            "timeEnd": START_MS + 90_000,
        },
    ]
