"""InfluxCarrier against the real InfluxDB 1.6.7 and against VictoriaMetrics, and against a scripted HTTP server."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from servers import fetch, free_port, influxql, victoria_export
from store_records import health, issue

from anomgan.adapters.influx import INFLUX, InfluxCarrier, influx_letter
from anomgan.adapters.ports import Batch, Letter, Rejection
from anomgan.config import InfluxConfig
from anomgan.errors import ConfigError, Refused, ServerError, Unreachable
from anomgan.records import Event, Verdict

START = 1_700_000_000.25


def verdict(device: str = "p1", time_s: float = START, **changes: object) -> Verdict:
    plain = Verdict(
        device=device,
        site="north",
        time_s=time_s,
        surprise=2.5,
        threshold=4.0,
        anomalous=False,
        discriminator=1.5,
        reconstruction=0.5,
        pattern=float("nan"),
        channels=("temperature", "flow"),
        values=np.array([20.5, np.nan], dtype=np.float32),
        expected=np.array([19.25, 3.0], dtype=np.float32),
        contribution=np.array([0.75, 0.25], dtype=np.float32),
        model="pumps",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # the tests name fields rightly


def event(device: str = "p1", **changes: object) -> Event:
    plain = Event(
        id=f"{device}@{START}",
        device=device,
        site="north",
        state="open",
        start_s=START,
        end_s=START + 5,
        peak=6.5,
        peak_s=START + 2,
        severity="minor",
        channels=("temperature", "flow"),
        observed=(20.5, 1.0),
        expected=(19.25, 3.0),
        contributions=(0.75, 0.25),
        reason='temperature is 20.5 °C instead of 19.25 °C, "too" high \\ flow too',
        threshold=4.0,
        model="pumps",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # the tests name fields rightly


def write(config: InfluxConfig, *batches: Batch) -> list[Rejection]:
    """Deliver the batches one after another; what the server would not have."""
    letters = [influx_letter(batch, START) for batch in batches]
    with closing(InfluxCarrier(config)) as carrier:
        return [rejection for letter in letters if letter is not None for rejection in carrier.deliver([letter])]


def rows(config: InfluxConfig, measurement: str) -> list[dict[str, object]]:
    return influxql(config, f'SELECT * FROM "{measurement}" GROUP BY *')  # noqa: S608 our own names


def test_a_verdict_is_read_back_from_influxdb(influxdb1: InfluxConfig) -> None:
    write(influxdb1, Batch([verdict()]))
    (row,) = rows(influxdb1, "anomaly_score")
    assert row == {
        "time": 1_700_000_000_250_000_000,
        "site": "north",
        "device": "p1",
        "model": "pumps",
        "surprise": 2.5,
        "p_value": pytest.approx(10**-2.5),
        "threshold": 4.0,
        "discriminator": 1.5,
        "reconstruction": 0.5,
        "anomalous": False,
    }
    assert rows(influxdb1, "anomaly_channel") == []


def test_an_event_is_read_back_and_its_later_telling_overwrites_it(influxdb1: InfluxConfig) -> None:
    closed = event(state="closed", severity="critical", end_s=START + 60, peak=9.0)
    write(influxdb1, Batch(events=[event()]), Batch(events=[closed]))
    (row,) = rows(influxdb1, "anomaly_event")
    assert row["state"] == "closed"
    assert row["severity"] == "critical"
    assert row["end"] == START + 60
    assert row["peak"] == 9.0
    assert row["channels"] == "temperature,flow"
    assert row["reason"] == closed.reason


def test_health_and_its_issues_are_read_back_and_later_tellings_overwrite(influxdb1: InfluxConfig) -> None:
    first, last = issue(), issue(state="closed", end_s=300.0)
    write(influxdb1, Batch(issues=[first], health=[health(120.0, first)]), Batch(issues=[last], health=[health(310.0)]))
    before, after = rows(influxdb1, "device_health")
    assert (before["open"], before["reasons"], before["stuck"]) == (1, first.reason, 1)
    assert (after["open"], after["reasons"], after["duplicate"], after["skew_s"]) == (0, "", 7, -0.25)
    assert (after["site"], after["device"], after["model"]) == ("north", "p1", "pump")
    (told,) = rows(influxdb1, "device_issue")
    assert (told["kind"], told["channel"], told["state"], told["end"]) == ("stuck", "flow", "closed", 300.0)


def test_writing_again_changes_nothing(influxdb1: InfluxConfig) -> None:
    batch = Batch([verdict(time_s=START + i, anomalous=i == 3) for i in range(10)], [event()], {"received": 7})
    write(influxdb1, batch)
    before = [
        rows(influxdb1, name) for name in ("anomaly_score", "anomaly_channel", "anomaly_event", "anomgan_service")
    ]
    write(influxdb1, batch, batch)
    after = [rows(influxdb1, name) for name in ("anomaly_score", "anomaly_channel", "anomaly_event", "anomgan_service")]
    assert after == before
    assert [len(found) for found in before] == [10, 20, 1, 1]  # the open event brings the channels of all its device's


def test_channels_are_written_only_while_anomalous_or_while_an_event_is_open(influxdb1: InfluxConfig) -> None:
    write(
        influxdb1,
        Batch([verdict(time_s=START)]),
        Batch([verdict(time_s=START + 1, anomalous=True)]),
        Batch([verdict(time_s=START + 2)], [event()]),
        Batch([verdict(time_s=START + 3), verdict("p2", START + 3)], [event()]),
        Batch([verdict(time_s=START + 4)], [event(state="closed")]),
        Batch([verdict(time_s=START + 5)]),
    )
    found = rows(influxdb1, "anomaly_channel")
    assert {(row["device"], row["time"]) for row in found} == {
        ("p1", round((START + i) * 1e6) * 1000) for i in (1, 2, 3, 4)
    }
    flow = next(row for row in found if row["channel"] == "flow")
    assert (flow["value"], flow["expected"], flow["contribution"]) == (None, 3.0, 0.25)  # what is known is kept


def test_unknown_verdicts_are_not_written(influxdb1: InfluxConfig) -> None:
    write(influxdb1, Batch([verdict(surprise=float("nan"), anomalous=False), verdict("p2")]))
    assert {row["device"] for row in rows(influxdb1, "anomaly_score")} == {"p2"}


HOSTILE = [
    "pump 7",
    "a,b=c d",
    'quote"quote',
    "back\\slash",
    "comma\\\\x,y",
    "Kühlhaus-Ω-泵-🌡",
    "'; DROP DATABASE x",
    "#comment",
    "x" * 128,
    "a,device=other",
    "100%",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_survive_in_influxdb(influxdb1: InfluxConfig, name: str) -> None:
    hostile = verdict(name, site=name, model=name, channels=(name, "flow"), anomalous=True)
    write(influxdb1, Batch([hostile], [event(name, site=name, reason=name, channels=(name,))], {name: 3}))
    (row,) = rows(influxdb1, "anomaly_score")
    assert (row["site"], row["device"], row["model"]) == (name, name, name)
    assert {row["channel"] for row in rows(influxdb1, "anomaly_channel")} == {name, "flow"}
    (told,) = rows(influxdb1, "anomaly_event")
    assert (told["device"], told["reason"], told["channels"]) == (name, name, name)
    assert rows(influxdb1, "anomgan_service")[0][name] == 3


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("ends with \\", "ends with /"),
        ("a\\,b", "a/,b"),
        ("a\\\\ b", "a// b"),
        ("two\nlines", "two lines"),
        ("three\r\n\n\rlines", "three lines"),
    ],
)
def test_names_that_line_protocol_cannot_carry_are_changed_and_not_lost(
    influxdb1: InfluxConfig, name: str, stored: str
) -> None:
    write(influxdb1, Batch([verdict(name)], [event(name, reason=name)]))
    assert [row["device"] for row in rows(influxdb1, "anomaly_score")] == [stored]
    assert [row["device"] for row in rows(influxdb1, "anomaly_event")] == [stored]


def test_an_empty_site_and_model_are_no_tags(influxdb1: InfluxConfig) -> None:
    write(influxdb1, Batch([verdict(site="", model="")]))
    (row,) = rows(influxdb1, "anomaly_score")
    assert "site" not in row
    assert "model" not in row


def test_more_than_one_batch_is_stored_whole(influxdb1: InfluxConfig) -> None:
    small = influxdb1.model_copy(update={"batch_points": 7})
    write(small, Batch([verdict(time_s=START + i) for i in range(100)]))
    assert len(rows(influxdb1, "anomaly_score")) == 100


def test_check_creates_the_database_and_says_so_in_one_line(influxdb1: InfluxConfig) -> None:
    with closing(InfluxCarrier(influxdb1)) as carrier:
        assert carrier.check() == f"InfluxDB {influxdb1.url} (database {influxdb1.database!r}): takes writes"
    databases = [row["name"] for row in influxql(influxdb1, "SHOW DATABASES")]
    assert influxdb1.database in databases


@pytest.mark.parametrize("name", ['quo"te', "with space", "ünï"])
def test_a_database_with_a_hostile_name_is_created_and_written(influxdb1: InfluxConfig, name: str) -> None:
    config = influxdb1.model_copy(update={"database": name})
    write(config, Batch([verdict()]))
    assert len(rows(config, "anomaly_score")) == 1


def test_a_type_conflict_is_returned_with_the_words_of_the_server(influxdb1: InfluxConfig) -> None:
    fetch(f"{influxdb1.url}/query", {"q": f"CREATE DATABASE {influxdb1.database}"})
    line = b'anomaly_score,site=north,device=p3,model=pumps surprise="text" 1700000000250000'
    with closing(InfluxCarrier(influxdb1)) as carrier:
        assert carrier.deliver([Letter(INFLUX, line)]) == []
    rejections = write(influxdb1, Batch([verdict(f"p{i}") for i in range(6)], counters={"messages_received": 6}))
    assert [one.part.partition(b" ")[0] for one in rejections] == [
        b"anomaly_score,site=north,device=p%d,model=pumps" % i for i in range(6)
    ]
    assert all(
        "HTTP 400: " in one.reason and 'type conflict: input field "surprise"' in one.reason for one in rejections
    )
    assert 6 in [row["messages_received"] for row in rows(influxdb1, "anomgan_service")]  # the rest has arrived


def test_of_several_letters_only_the_lines_that_are_refused_come_back_and_the_others_are_stored(
    influxdb1: InfluxConfig,
) -> None:
    fetch(f"{influxdb1.url}/query", {"q": f"CREATE DATABASE {influxdb1.database} WITH DURATION 2h"})
    now = time.time()
    letters = [influx_letter(Batch([verdict(f"p{i}", START if i in (3, 11) else now)]), now) for i in range(20)]
    sent = [replace(letter, number=i) for i, letter in enumerate(letters) if letter is not None]
    with closing(InfluxCarrier(influxdb1)) as carrier:
        rejections = carrier.deliver(sent)
    assert [one.letter.number for one in rejections] == [3, 11]
    assert all("partial write: " in one.reason and "retention" in one.reason for one in rejections)
    assert {row["device"] for row in rows(influxdb1, "anomaly_score")} == {f"p{i}" for i in range(20)} - {"p3", "p11"}


def test_user_and_password_get_in_and_others_are_refused(
    influxdb1_with_password: InfluxConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = influxdb1_with_password
    write(config, Batch([verdict()]))
    with pytest.raises(Refused, match="bad credentials"):
        write(config.model_copy(update={"username": "", "password_env": ""}), Batch([verdict()]))
    with pytest.raises(Refused, match="bad credentials, or no permission"):
        write(config.model_copy(update={"username": "guest", "password_env": "GUEST_PASSWORD"}), Batch([verdict()]))
    monkeypatch.setenv("PLANT_PASSWORD", "wrong")
    with pytest.raises(Refused, match="bad credentials"):
        write(config, Batch([verdict()]))
    monkeypatch.delenv("PLANT_PASSWORD")
    with pytest.raises(ConfigError, match=r"store\.influx\.password_env.*PLANT_PASSWORD"):
        InfluxCarrier(config)


@pytest.mark.parametrize("version", [1, 2])
def test_nobody_there_is_unreachable(version: int) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=f"InfluxDB {url} .*: connection refused"):
        write(InfluxConfig.model_validate({"url": url, "version": version}), Batch([verdict()]))
    with pytest.raises(Unreachable, match="no host of that name"):
        write(
            InfluxConfig.model_validate({"url": "http://no-such-host.invalid:1", "version": version}),
            Batch([verdict()]),
        )


def test_version_2_against_influxdb_1_is_told_apart(influxdb1: InfluxConfig) -> None:
    with pytest.raises(Refused, match="needs version = 1"):
        write(influxdb1.model_copy(update={"version": 2}), Batch([verdict()]))


def test_verdicts_events_and_counters_reach_victoriametrics(victoria: InfluxConfig) -> None:
    batch = Batch([verdict(anomalous=True)], [event()], {"messages_received": 12, "dropped.broken_json": 1})
    write(victoria, batch, batch)
    found = {series["metric"]["__name__"]: series for series in victoria_export(victoria, '{__name__!=""}')}
    assert found["anomaly_score_surprise"]["metric"] == {
        "__name__": "anomaly_score_surprise", "site": "north", "device": "p1", "model": "pumps"
    }  # fmt: skip
    assert found["anomaly_score_surprise"]["values"][-1] == 2.5
    assert set(found["anomaly_score_surprise"]["timestamps"]) == {1_700_000_000_250}
    assert found["anomaly_score_anomalous"]["values"][-1] == 1
    assert found["anomaly_channel_expected"]["metric"]["channel"] in ("temperature", "flow")
    assert found["anomaly_event_peak"]["values"][-1] == 6.5
    assert found["anomgan_service_messages_received"]["values"][-1] == 12
    assert "anomaly_score_neighbour" not in found


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\\\\" not in name])  # which it reads as one backslash
def test_hostile_names_survive_in_victoriametrics(victoria: InfluxConfig, name: str) -> None:
    write(victoria, Batch([verdict(name, site=name, model=name)], [event(name, reason=f"{name}\n{name}")]))
    scores = victoria_export(victoria, "anomaly_score_surprise")
    assert [(one["metric"]["device"], one["metric"]["site"]) for one in scores] == [(name, name)]
    assert [one["metric"]["device"] for one in victoria_export(victoria, "anomaly_event_peak")] == [name]


def test_check_passes_on_victoriametrics_whose_health_does_not_answer_as_influxdb(victoria: InfluxConfig) -> None:
    with closing(InfluxCarrier(victoria)) as carrier:
        assert "takes writes" in carrier.check()


def test_the_token_gets_in_and_a_wrong_one_is_refused(
    victoria_with_token: InfluxConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(victoria_with_token, Batch([verdict()]))
    monkeypatch.setenv("PLANT_TOKEN", "wrong")
    with pytest.raises(Refused):
        write(victoria_with_token, Batch([verdict()]))


class Scripted(BaseHTTPRequestHandler):
    """Answers every post with the server's `answer`, and keeps what came."""

    def do_POST(self) -> None:
        """Keep the body and answer as told."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        assert isinstance(server, ScriptedServer)
        server.bodies.append(body)
        server.authorizations.append(self.headers.get("Authorization", ""))
        status, text = server.answer if server.refuses in body else (204, b"")
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the parent's name
        """Say nothing."""


class ScriptedServer(HTTPServer):
    """An HTTP server for what real servers do only on bad days."""

    answer: tuple[int, bytes] = (204, b"")
    refuses = b""
    """what a body must hold to be answered so"""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Scripted)
        self.bodies: list[bytes] = []
        self.authorizations: list[str] = []


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, Refused, "bad credentials"),
        (403, Refused, "no permission"),
        (404, Refused, "HTTP 404"),
        (429, ServerError, "HTTP 429"),
        (500, ServerError, "HTTP 500"),
        (503, ServerError, "HTTP 503"),
    ],
)
def test_every_refusal_raises_with_the_words_of_the_server(
    scripted: ScriptedServer, version: int, status: int, error: type[ServerError], words: str
) -> None:
    scripted.answer = (status, b'{"code": "sad", "message": "the disk is on fire", "error": "the disk is on fire"}')
    config = InfluxConfig.model_validate({"url": f"http://127.0.0.1:{scripted.server_port}", "version": version})
    with pytest.raises(error, match=words) as raised:
        write(config, Batch([verdict(), verdict("p2")]))
    assert type(raised.value) is error
    assert "the disk is on fire" in str(raised.value)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_a_server_never_takes_comes_back_line_by_line(scripted: ScriptedServer, version: int, status: int) -> None:
    scripted.answer = (status, b'{"code": "sad", "message": "what is this", "error": "what is this"}')
    scripted.refuses = b"device=p2"
    config = InfluxConfig.model_validate({"url": f"http://127.0.0.1:{scripted.server_port}", "version": version})
    devices = ["p1", "p2", "p3", "p20"]
    rejections = write(config, Batch([verdict(device) for device in devices]))
    assert [one.part.split(b",")[2] for one in rejections] == [b"device=p2", b"device=p20"]
    assert {one.reason for one in rejections} == {f"HTTP {status}: what is this"}
    arrived = b"\n".join(body for body in scripted.bodies if scripted.refuses not in body)
    assert {line.split(b",")[2] for line in arrived.splitlines() if b"device" in line} == {b"device=p1", b"device=p3"}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_even_what_is_certainly_right_refuses_us_and_nothing_is_given_up(
    scripted: ScriptedServer, version: int, status: int
) -> None:
    """A proxy may answer 400 to a wrong token: what is sent then must not end in quarantine."""
    scripted.answer = (status, b'{"code": "sad", "message": "no such user", "error": "no such user"}')
    config = InfluxConfig.model_validate({"url": f"http://127.0.0.1:{scripted.server_port}", "version": version})
    with pytest.raises(Refused, match=f"HTTP {status}: no such user"):
        write(config, Batch([verdict(), verdict("p2")]))


@pytest.mark.parametrize("version", [1, 2])
def test_a_server_that_is_silent_is_unreachable_in_time(version: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        config = InfluxConfig.model_validate({"url": url, "version": version, "timeout_s": 0.3})
        with pytest.raises(Unreachable, match=r"no answer within 0\.3 s"):
            write(config, Batch([verdict()]))


def test_version_2_sends_user_and_password_as_basic_authentication(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXY_PASSWORD", "olive tree")
    url = f"http://127.0.0.1:{scripted.server_port}"
    write(InfluxConfig(url=url, username="plant", password_env="PROXY_PASSWORD"), Batch([verdict()]))  # noqa: S106
    assert scripted.authorizations == ["Basic cGxhbnQ6b2xpdmUgdHJlZQ=="]


def test_nothing_to_store_sends_nothing(scripted: ScriptedServer) -> None:
    write(InfluxConfig(url=f"http://127.0.0.1:{scripted.server_port}"), Batch(), Batch(counters={}))
    assert scripted.bodies == []
