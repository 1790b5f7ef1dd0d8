"""Readings out of an InfluxDB, to learn from: InfluxQL for version 1, Flux through influxdb-client for version 2."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import urllib3

from anomgan.adapters.influx import explain, message
from anomgan.adapters.secrets import read_secret
from anomgan.config import InfluxConfig
from anomgan.errors import ConfigError, Refused, Unreachable
from anomgan.records import Reading
from anomgan.wire.history_query import HistoryQuery, flux, influxql, number_of, numbers_of

CHUNK_ROWS = 10_000


def read_history(config: InfluxConfig, query: HistoryQuery) -> Iterator[Reading]:
    """The readings of a query, device by device; a row without the device's tag is of a device called `device`.

    Raises Unreachable, Refused (credentials, no such bucket, a query that the server does not understand).
    """
    return _version_1(config, query) if config.version == 1 else _version_2(config, query)


def _where(config: InfluxConfig, query: HistoryQuery) -> str:
    return f"InfluxDB {config.url} ({'database' if config.version == 1 else 'bucket'} {query.bucket!r})"


@contextmanager
def _reaching(config: InfluxConfig, query: HistoryQuery) -> Iterator[None]:
    try:
        yield
    except urllib3.exceptions.LocationParseError as error:
        raise ConfigError(f"store.influx.url: {error}") from None
    except urllib3.exceptions.HTTPError as error:
        raise Unreachable(f"{_where(config, query)}: {explain(error, config.timeout_s)}") from None


def _version_1(config: InfluxConfig, query: HistoryQuery) -> Iterator[Reading]:
    headers = {}
    if config.username:
        password = read_secret("store.influx.password", config.password_env, config.password_file)
        headers = urllib3.make_headers(basic_auth=f"{config.username}:{password}")
    asked = {"db": query.bucket, "q": influxql(query), "epoch": "ns", "chunked": "true", "chunk_size": CHUNK_ROWS}
    pool = urllib3.PoolManager(headers=headers, timeout=config.timeout_s, retries=False)
    with _reaching(config, query):
        url = f"{config.url.rstrip('/')}/query?{urlencode(asked)}"
        response = pool.request("GET", url, preload_content=False)
        try:
            if response.status != 200:
                raise Refused(f"{_where(config, query)}: HTTP {response.status}: {message(response.read())[:500]}")
            yield from _rows(config, query, response)
        finally:
            response.close()
            pool.clear()


def _rows(config: InfluxConfig, query: HistoryQuery, response: urllib3.BaseHTTPResponse) -> Iterator[Reading]:
    """The answer is one JSON document a line."""
    for line in _lines(response):
        try:
            readings = _readings(config, query, json.loads(line))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            raise _not_understood(config, query, repr(line[:200].decode("utf-8", "replace"))) from None
        yield from readings


def _readings(config: InfluxConfig, query: HistoryQuery, document: Any) -> list[Reading]:
    """Those of one document; raises what looking into a document of another shape raises."""
    readings = []
    for result in document["results"]:
        if "error" in result:
            raise Refused(f"{_where(config, query)}: {result['error']}")
        for series in result.get("series", ()):
            device = series.get("tags", {}).get(query.device) or "device"
            for row in series["values"]:
                values = numbers_of(series["columns"], row)
                if values:
                    readings.append(Reading(device, row[0] / 1e9, values))
    return readings


def _not_understood(config: InfluxConfig, query: HistoryQuery, came: str) -> Refused:
    return Refused(f"{_where(config, query)}: its answer is none that an InfluxDB gives: {came}")


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for part in response.stream():
        *whole, rest = (rest + part).split(b"\n")
        yield from (line for line in whole if line)
    if rest:
        yield rest


def _version_2(config: InfluxConfig, query: HistoryQuery) -> Iterator[Reading]:
    from influxdb_client.client.flux_csv_parser import FluxCsvParserException, FluxQueryException
    from influxdb_client.client.influxdb_client import InfluxDBClient
    from influxdb_client.rest import ApiException

    token = read_secret("store.influx.token", config.token_env, config.token_file)
    client = InfluxDBClient(url=config.url, token=token, org=config.org, timeout=round(config.timeout_s * 1000))
    rows: dict[str, dict[float, dict[str, float]]] = {}
    try:
        with _reaching(config, query):
            for record in client.query_api().query_stream(flux(query)):
                columns = record.values
                value = number_of(columns.get("_value"))
                if value is not None:
                    device = rows.setdefault(columns.get(query.device) or "device", {})
                    device.setdefault(columns["_time"].timestamp(), {})[columns["_field"]] = value
    except ApiException as error:
        raise Refused(f"{_where(config, query)}: HTTP {error.status}: {message(error.body or b'')[:500]}") from None
    except FluxQueryException as error:
        raise Refused(f"{_where(config, query)}: {error.message}") from None
    except (FluxCsvParserException, csv.Error, ValueError, TypeError, LookupError, AttributeError) as error:
        raise _not_understood(config, query, f"no annotated CSV ({error})") from None
    finally:
        client.close()  # type: ignore[no-untyped-call]  # influxdb-client leaves it untyped
    for name, times in rows.items():
        for time_s in sorted(times):
            yield Reading(name, time_s, times[time_s])
