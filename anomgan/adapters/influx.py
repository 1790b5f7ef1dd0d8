"""Verdicts, events and health into InfluxDB, or what speaks its write protocol, as letters that a journal keeps.

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

from anomgan.adapters.ports import Batch, Letter, Rejection
from anomgan.adapters.secrets import read_secret
from anomgan.config import InfluxConfig
from anomgan.errors import ConfigError, Refused, ServerError, Unreachable
from anomgan.wire.line_protocol import (
    counter_line,
    event_line,
    expected_lines,
    health_line,
    issue_line,
    verdict_lines,
)

INFLUX = "influx"
"""the addressee"""
WRONG_CONTENT = (400, 413, 422)
"""what a server says of lines that it cannot read, or of too many at once"""


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


class InfluxCarrier:
    """Brings line protocol to an InfluxDB; bringing it again changes nothing."""

    def __init__(self, config: InfluxConfig, now: Callable[[], float] = time.time) -> None:
        self._config = config
        self._now = now
        name = f"database {config.database!r}" if config.version == 1 else f"bucket {config.bucket!r}"
        self._where = f"InfluxDB {config.url} ({name})"
        self._sender: Sender = _Version1(config) if config.version == 1 else _Version2(config)

    def check(self) -> str:
        """Write one point and say in one line what is there: only a write proves address, permission and database."""
        self._require(self._post([check_line(self._now())]))
        return f"{self._where}: takes writes"

    def deliver(self, letters: Sequence[Letter]) -> list[Rejection]:
        """Write the lines of all letters; those that the server calls wrong are returned, each by itself.

        Raises Unreachable, Refused (credentials, no such database) or ServerError (too busy, broken).
        """
        whole = [(letter, line) for letter in letters for line in letter.body.split(b"\n") if line]
        size = self._config.batch_points
        return [
            Rejection(letter, line, reason)
            for start in range(0, len(whole), size)
            for letter, line, reason in self._write(whole[start : start + size])
        ]

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        self._sender.close()

    def _write(self, whole: Sequence[tuple[Letter, bytes]], *, blamed: bool = False) -> list[tuple[Letter, bytes, str]]:
        """Post lines; where some are refused, halves of them, which writes the others again and is harmless.

        `blamed`: it is known that the content is to blame. Some servers and proxies answer 400 to a wrong token, too;
        one that refuses a line that is certainly right refuses us, and not what we say.
        """
        answer = self._post([line for _, line in whole])
        if answer.status not in WRONG_CONTENT:
            self._require(answer)
            return []
        if not blamed and self._post([check_line(self._now())]).status in WRONG_CONTENT:
            self._require(answer)
        if len(whole) == 1:
            return [(*whole[0], said(answer))]
        half = len(whole) // 2
        return self._write(whole[:half], blamed=True) + self._write(whole[half:], blamed=True)

    def _require(self, answer: Answer) -> None:
        """Raise what an answer means, unless it means that all is well."""
        if answer.status < 300:
            return
        if answer.status in (401, 403):
            raise Refused(f"{self._where}: bad credentials, or no permission to write; {said(answer)}")
        if answer.status == 429 or answer.status >= 500:
            raise ServerError(f"{self._where}: {said(answer)}")
        hint = "; an InfluxDB 1.x needs version = 1" if self._config.version == 2 and answer.status == 404 else ""
        raise Refused(f"{self._where}: {said(answer)}{hint}")

    def _post(self, lines: Sequence[bytes]) -> Answer:
        with self._reaching():
            return self._sender.write(b"\n".join(lines))

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


def check_line(now_s: float) -> bytes:
    """A line that every server takes."""
    return counter_line({"checks": 1}, now_s).encode()


def said(answer: Answer) -> str:
    """An answer for people."""
    return f"HTTP {answer.status}: {answer.text[:500]}"


def influx_letter(batch: Batch, now_s: float) -> Letter | None:
    """A batch as line protocol; None where it says nothing.

    `anomaly_channel` is written for anomalous verdicts and for devices of which the batch has an event.
    """
    concerned = {(event.site, event.device) for event in batch.events}
    lines = [*verdict_lines(batch.verdicts, concerned), *(event_line(event) for event in batch.events)]
    lines += [line for one in batch.expected for line in expected_lines(one)]  # after the detector's own word
    lines += [*map(issue_line, batch.issues), *map(health_line, batch.health)]
    if batch.counters:
        lines.append(counter_line(batch.counters, now_s))
    return Letter(INFLUX, "\n".join(lines).encode()) if lines else None


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
