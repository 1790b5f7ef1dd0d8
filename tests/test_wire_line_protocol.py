"""Line protocol: escaped as the protocol says, nothing unknown written. What real servers make of it: tests/service."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.errors import DataError
from anomgan.records import Event, Verdict
from anomgan.wire.line_protocol import (
    channel_lines,
    counter_line,
    escape_name,
    event_line,
    quote,
    score_line,
    verdict_lines,
)

NAN = float("nan")
VERDICT = Verdict(
    device="p 1",
    site="n,1",
    time_s=1_700_000_000.000_001,
    surprise=2.0,
    threshold=4.0,
    anomalous=True,
    discriminator=NAN,
    reconstruction=0.5,
    pattern=1.0,
    channels=("temp=1", "flow"),
    values=np.array([20.6, NAN], dtype=np.float32),
    expected=np.array([20.1, NAN], dtype=np.float32),
    contribution=np.array([0.75, NAN], dtype=np.float32),
    model="m",
)
EVENT = Event("e1", "p1", "", "open", 1.7e9, 1.7e9 + 1, 6.5, 1.7e9, "minor", ("flow",), (1.0,), (2.0,), (1.0,), 'a "b"')


def test_a_score_line_is_as_documented() -> None:
    assert score_line(VERDICT) == (
        "anomaly_score,site=n\\,1,device=p\\ 1,model=m surprise=2.0,p_value=0.01,threshold=4.0,"
        "reconstruction=0.5,pattern=1.0,anomalous=true 1700000000000001"
    )


def test_a_channel_line_is_as_documented_and_a_channel_of_which_nothing_is_known_has_none() -> None:
    assert channel_lines(VERDICT) == [
        "anomaly_channel,site=n\\,1,device=p\\ 1,channel=temp\\=1 "
        "value=20.6,expected=20.1,contribution=0.75 1700000000000001"
    ]


def test_an_event_line_is_as_documented_and_an_empty_site_is_no_tag() -> None:
    assert event_line(EVENT) == (
        'anomaly_event,device=p1 id="e1",state="open",severity="minor",channels="flow",reason="a \\"b\\"",model="",'
        'note="",part_of="",'
        "start=1700000000.0,end=1700000001.0,peak=6.5,peak_time=1700000000.0,threshold=0.0 1700000000000000"
    )


def test_counters_are_integers() -> None:
    assert counter_line({"messages_received": 3, "dropped.bad time": 1}, 1.7e9) == (
        "anomgan_service messages_received=3i,dropped.bad\\ time=1i 1700000000000000"
    )
    assert counter_line({}, 1.7e9) == ""


def test_an_unknown_verdict_has_no_line_and_an_infinite_one_is_an_error() -> None:
    assert score_line(replace(VERDICT, surprise=NAN)) == ""
    assert verdict_lines([replace(VERDICT, surprise=NAN)]) == []
    with pytest.raises(DataError, match="infinite"):
        score_line(replace(VERDICT, surprise=float("inf")))


def test_numbers_from_numpy_are_written_as_numbers() -> None:
    odd = replace(VERDICT, surprise=np.float64(2.0), threshold=np.float32(4.0), time_s=np.float64(1.7e9))  # type: ignore[arg-type]  # numpy scalars slip in
    assert "np." not in score_line(odd)


def test_channels_come_with_anomalous_verdicts_and_with_named_sources_only() -> None:
    calm = replace(VERDICT, anomalous=False)
    assert len(verdict_lines([calm])) == 1
    assert len(verdict_lines([VERDICT])) == 2
    assert len(verdict_lines([calm], [("n,1", "p 1")])) == 2
    assert len(verdict_lines([calm], [("n,1", "p 2")])) == 1


@given(st.text(max_size=30))
def test_an_escaped_name_ends_where_it_should(text: str) -> None:
    """Read as the server does: a backslash takes the next character with it, a bare comma, space or = ends the name."""
    escaped = escape_name(text)
    assert "\n" not in escaped
    read, i = "", 0
    while i < len(escaped):
        assert escaped[i] not in ",= "
        if escaped[i] == "\\":
            assert i + 1 < len(escaped)
            read += escaped[i + 1] if escaped[i + 1] in ",= " else escaped[i : i + 2]
            i += 2
        else:
            read += escaped[i]
            i += 1
    assert read.replace("\\", "/") == re.sub(r"[\r\n]+", " ", text).replace("\\", "/")


@given(st.text(max_size=30))
def test_a_quoted_text_ends_where_it_should(text: str) -> None:
    quoted = quote(text)
    inside = re.sub(r"\\(.)", r"\1", quoted[1:-1])
    assert re.fullmatch(r'"(?:[^"\\]|\\["\\])*"', quoted)
    assert inside == re.sub(r"[\r\n]+", " ", text)
