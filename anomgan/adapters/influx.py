"""Verdicts and events into InfluxDB, or what speaks its write protocol.

Version 1 posts to `/write?db=` (InfluxDB 1.x, which Debian and Raspberry Pi OS ship), version 2 goes through
influxdb-client to `/api/v2/write` (InfluxDB 2.x and 3 Core, VictoriaMetrics). Both in batches of our own and
synchronously: influxdb-client's batching mode loses what it cannot deliver without telling.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

import urllib3

from anomgan.adapters.ports import Batch
from anomgan.adapters.secrets import read_secret
from anomgan.config import InfluxConfig
from anomgan.errors import ConfigError, Refused, ServerError, Unreachable
from anomgan.records import Source
from anomgan.wire.line_protocol import counter_line, event_line, verdict_lines


class Answer(NamedTuple):
    """What the server said to a write: the HTTP status and, where that is an error, why."""

    status: int
    text: str = ""


class Sender(Protocol):
    """One generation of the write API."""

    def write(self, body: bytes) -> Answer:
        """Post some lines."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class InfluxStore:
    """A Store in InfluxDB. `write` returns when everything is stored, and writing again changes nothing.

    `anomaly_channel` is written for anomalous verdicts and for devices with an open event; which events are open is
    learned from the events written, so after a restart an event that is still open is known from its next telling on.
    """

    def __init__(self, config: InfluxConfig, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._clock = clock
        name = f"database {config.database!r}" if config.version == 1 else f"bucket {config.bucket!r}"
        self._where = f"InfluxDB {config.url} ({name})"
        self._open: frozenset[Source] = frozenset()
        self._sender: Sender = _Version1(config) if config.version == 1 else _Version2(config)

    def check(self) -> str:
        """Write one point and say in one line what is there: only a write proves address, permission and database."""
        self._write_lines([counter_line({"checks": 1}, self._clock())])
        return f"{self._where}: takes writes"

    def write(self, batch: Batch) -> None:
        """Store the batch; raises Unreachable, Refused (with the line that was refused) or ServerError."""
        concerned = self._open.union((event.site, event.device) for event in batch.events)
        lines = verdict_lines(batch.verdicts, concerned)
        lines += [event_line(event) for event in batch.events]
        if batch.counters:
            lines.append(counter_line(batch.counters, self._clock()))
        size = self._config.batch_points
        for start in range(0, len(lines), size):
            self._write_lines(lines[start : start + size])
        closed = {(event.site, event.device) for event in batch.events if event.state == "closed"}
        opened = {(event.site, event.device) for event in batch.events if event.state == "open"}
        self._open = (self._open - closed) | opened

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        self._sender.close()

    def _write_lines(self, lines: Sequence[str]) -> None:
        answer = self._post(lines)
        if answer.status < 300:
            return
        said = f"HTTP {answer.status}: {answer.text[:500]}"
        if answer.status in (400, 422):
            raise Refused(f"{self._where}: {said} (line: {self._culprit(lines)[:500]})")
        if answer.status in (401, 403):
            raise Refused(f"{self._where}: bad credentials, or no permission to write; {said}")
        if answer.status == 429 or answer.status >= 500:
            raise ServerError(f"{self._where}: {said}")
        hint = "; an InfluxDB 1.x needs version = 1" if self._config.version == 2 and answer.status == 404 else ""
        raise Refused(f"{self._where}: {said}{hint}")

    def _culprit(self, lines: Sequence[str]) -> str:
        """The first line that is refused by itself; the others are written again meanwhile, which is harmless."""
        while len(lines) > 1:
            half = lines[: len(lines) // 2]
            lines = half if self._post(half).status >= 300 else lines[len(lines) // 2 :]
        return lines[0]

    def _post(self, lines: Sequence[str]) -> Answer:
        with self._reaching():
            return self._sender.write("\n".join(lines).encode())

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn the ways not to reach a server into Unreachable."""
        try:
            yield
        except urllib3.exceptions.LocationParseError as error:
            raise ConfigError(f"store.influx.url: {error}") from None
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{self._where}: {explain(error, self._config.timeout_s)}") from None


class _Version1:
    """`/write?db=`; creates the database where it is missing."""

    def __init__(self, config: InfluxConfig) -> None:
        self._url = config.url.rstrip("/")
        self._database = config.database
        headers = {}
        if config.username:
            password = read_secret("store.influx.password", config.password_env, config.password_file)
            headers = urllib3.make_headers(basic_auth=f"{config.username}:{password}")
        self._pool = urllib3.PoolManager(headers=headers, timeout=config.timeout_s, retries=False)

    def write(self, body: bytes) -> Answer:
        answer = self._write_once(body)
        if answer.status == 404 and "database not found" in answer.text:
            created = self._create_database()
            return self._write_once(body) if created.status < 300 else created
        return answer

    def _write_once(self, body: bytes) -> Answer:
        response = self._pool.request(
            "POST",
            f"{self._url}/write?{urlencode({'db': self._database, 'precision': 'u'})}",
            body=body,
            headers={**self._pool.headers, "Content-Type": "text/plain; charset=utf-8"},
        )
        return Answer(response.status, message(response.data))

    def _create_database(self) -> Answer:
        quoted = self._database.replace("\\", "\\\\").replace('"', '\\"')
        query = urlencode({"q": f'CREATE DATABASE "{quoted}"'})
        response = self._pool.request("POST", f"{self._url}/query?{query}")
        return Answer(response.status, message(response.data))

    def close(self) -> None:
        self._pool.clear()


class _Version2:
    """`/api/v2/write` through influxdb-client, whose import takes half a second and so waits until it is needed."""

    def __init__(self, config: InfluxConfig) -> None:
        from influxdb_client.client.influxdb_client import InfluxDBClient
        from influxdb_client.client.write_api import SYNCHRONOUS
        from influxdb_client.rest import ApiException

        self._refusal = ApiException
        self._bucket = config.bucket
        token = read_secret("store.influx.token", config.token_env, config.token_file)
        if config.username:  # a proxy with basic authentication in front
            password = read_secret("store.influx.password", config.password_env, config.password_file)
            token = f"{config.username}:{password}"
        self._client = InfluxDBClient(
            url=config.url,
            token=token,
            org=config.org,
            timeout=round(config.timeout_s * 1000),
            auth_basic=bool(config.username),
        )
        self._write_api = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, body: bytes) -> Answer:
        try:
            precision: Any = "us"  # influxdb-client's own constant is this text, annotated as something else
            self._write_api.write(bucket=self._bucket, record=body, write_precision=precision)
        except self._refusal as error:
            return Answer(error.status or 0, message(error.body or b"") or str(error.reason))
        return Answer(204)

    def close(self) -> None:
        self._write_api.close()  # type: ignore[no-untyped-call]  # influxdb-client leaves it untyped
        self._client.close()  # type: ignore[no-untyped-call]  # the same


def message(body: bytes | str) -> str:
    """What a server's error body says, whether it wraps it in JSON or not."""
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except ValueError:
        return " ".join(text.split())
    if not isinstance(document, dict):
        return text
    return str(document.get("message") or document.get("error") or text)


def explain(error: urllib3.exceptions.HTTPError, timeout_s: float) -> str:
    """Why a server could not be reached, in words."""
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    if isinstance(cause, urllib3.exceptions.NameResolutionError):
        return "there is no host of that name"
    if isinstance(cause, urllib3.exceptions.TimeoutError) and not isinstance(
        cause, urllib3.exceptions.NewConnectionError
    ):
        return f"no answer within {timeout_s:g} s"
    if "refused" in str(cause).lower():
        return "connection refused; is it running?"
    return str(cause)
