"""What to read from an InfluxDB: words in, queries out; nothing in a name can become part of the query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.errors import ConfigError
from anomgan.wire.history_query import HistoryQuery, duration_s, flux, influxql, number_of, parse_query

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def test_the_words_say_what_to_read() -> None:
    asked = "bucket plant range 7d measurement pump device pump_id fields flow,pressure where hall=north where line=2"
    assert parse_query(asked, NOW) == HistoryQuery(
        "plant", NOW - 7 * 86_400, NOW, "pump", "pump_id", ("flow", "pressure"), (("hall", "north"), ("line", "2"))
    )
    assert parse_query("range 90s measurement m bucket b", NOW) == HistoryQuery("b", NOW - 90, NOW, "m")


def test_a_range_may_be_an_interval_in_utc_or_in_a_zone() -> None:
    query = parse_query("bucket b measurement m range 2026-01-01/2026-01-01T02:00+01:00", NOW)
    assert (query.start_s, query.stop_s) == (NOW, NOW + 3600)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("-7d", 604_800), ("2w", 1_209_600)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "0s", "30 m", "1e3s", "30min", "infs", "nan s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a duration"):
        duration_s(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bucket and range and measurement is missing"),
        ("bucket b range 7d", "measurement is missing"),
        ("bucket b rnage 7d measurement m", "'rnage' is none of bucket, range"),
        ("bucket b range 7d measurement", "measurement wants a value"),
        ("bucket b bucket c range 7d measurement m", "bucket is given twice"),
        ("bucket b range 7 measurement m", "'7' is not a duration"),
        ("bucket b range 2026-02-01/2026-01-01 measurement m", "ends before it begins"),
        ("bucket b range yesterday/today measurement m", "neither a duration"),
        ("bucket b range 7d measurement m where hall", "where wants TAG=VALUE"),
        ("bucket b range 7d measurement m where =north", "where wants TAG=VALUE"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_query(text, NOW)


def test_the_queries_are_what_the_servers_document() -> None:
    query = HistoryQuery("plant", 1.5, 2.0, "pump", "id", ("flow", "in let"), (("hall", "o'neil"),))
    assert influxql(query) == (
        'SELECT "flow"::field, "in let"::field FROM "pump" WHERE time >= 1500000000 AND time < 2000000000'
        """ AND "hall" = 'o\\'neil' GROUP BY "id\""""
    )
    assert flux(query) == (
        'from(bucket: "plant") |> range(start: 1970-01-01T00:00:01.500000Z, stop: 1970-01-01T00:00:02.000000Z)'
        ' |> filter(fn: (r) => r["_measurement"] == "pump" and r["hall"] == "o\'neil")'
        ' |> filter(fn: (r) => r["_field"] == "flow" or r["_field"] == "in let")'
        ' |> keep(columns: ["_time", "_field", "_value", "id"])'
    )
    assert "SELECT *::field FROM" in influxql(HistoryQuery("b", 0.0, 1.0, "m"))


@given(st.text(max_size=20))
def test_no_name_ends_its_own_quotes(name: str) -> None:
    query = HistoryQuery(name, 0.0, 1.0, name, name, (name,), ((name, name),))
    for text, quotes in ((influxql(query), "\"'"), (flux(query), '"')):
        outside, closing, at = "", "", 0
        while at < len(text):
            letter = text[at]
            if closing:
                at += letter == "\\"
                closing = "" if letter == closing else closing
            elif letter in quotes:
                closing = letter
            else:
                outside += letter
            at += 1
        assert closing == ""
        empty = HistoryQuery("", 0.0, 1.0, "", "", ("x",), (("", ""),))
        bare = influxql(empty) if quotes == "\"'" else flux(empty)
        assert outside == "".join(_outside(bare, quotes))


def _outside(text: str, quotes: str) -> list[str]:
    closing, found = "", []
    for letter in text:
        if closing:
            closing = "" if letter == closing else closing
        elif letter in quotes:
            closing = letter
        else:
            found.append(letter)
    return found


def test_text_is_no_channel_and_a_flag_is_a_number() -> None:
    assert [number_of(value) for value in (1, 2.5, True, "7", None)] == [1.0, 2.5, 1.0, None, None]
