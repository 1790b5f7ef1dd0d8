"""Requests: who is let in, that nobody is let in twice, and that no bytes do more than be refused."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomgan.control import Gate, Pass
from anomgan.errors import DataError, PayloadError
from anomgan.wire.control import (
    COMMANDS,
    MOST_BYTES,
    Feedback,
    Mute,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    named_transaction,
    signature,
)

SECRET = "a secret of sixteen letters"  # noqa: S105 it guards nothing
NOW = 1_767_600_000.0


def signed(
    command: str = "mute", time_s: float = NOW, nonce: str = "nonce-01", secret: str = SECRET, **fields: Any
) -> bytes:
    fields = fields or {"device": "pump-1"}
    return encode_request(command, fields, secret=secret, transaction="t1", client="ada", time_s=time_s, nonce=nonce)


def gate(secret: str = SECRET) -> Gate:
    return Gate(Pass(secret, 60.0))


def refused(gate: Gate, command: str, payload: bytes, now_s: float = NOW) -> str:
    with pytest.raises(PayloadError) as caught:
        gate.admit(command, payload, now_s)
    assert str(caught.value)
    assert SECRET not in str(caught.value)
    return caught.value.reason


def test_a_signed_request_is_let_in_once() -> None:
    one = gate()
    request = one.admit("mute", signed(for_s=60.0, device="pump-*", channels=["flow"]), NOW)
    assert request.command == Mute(device="pump-*", channels=("flow",), for_s=60.0)
    assert (request.transaction, request.client) == ("t1", "ada")
    assert refused(one, "mute", signed()) == "repeated"
    one.admit("mute", signed(nonce="nonce-02"), NOW)


def test_the_signature_is_that_of_the_documentation() -> None:
    """Any program can make one: HMAC-SHA256 of the command, a line end, and the body as it is sent."""
    import hashlib
    import hmac

    body = json.dumps({"device": "pump-1", "time": NOW, "nonce": "12345678"}, indent=1)
    proof = hmac.new(SECRET.encode(), b"mute\n" + body.encode(), hashlib.sha256).hexdigest()
    assert proof == signature(SECRET, "mute", body)
    gate().admit("mute", json.dumps({"body": body, "signature": proof}).encode(), NOW)


@pytest.mark.parametrize(
    ("command", "payload", "reason"),
    [
        ("mute", b'{"device": "pump-1"}', "unsigned"),
        ("mute", b"", "bad_request"),
        ("mute", b"[1]", "bad_request"),
        ("mute", signed(secret=SECRET.upper()), "bad_signature"),
        ("unmute", signed(), "bad_signature"),  # of another command
        ("mute", signed().replace(b"pump-1", b"pump-2"), "bad_signature"),
        ("mute", signed(time_s=NOW - 61.0), "stale"),
        ("mute", signed(time_s=NOW + 61.0), "stale"),
        ("mute", signed(nonce="short"), "bad_request"),
        ("mute", signed(device="x" * 301), "bad_request"),
        ("mute", signed(device="p", for_s=-1.0), "bad_request"),
        ("mute", signed(device="p", for_s="60"), "bad_request"),
        ("mute", signed(device="p", nonsense=1), "bad_request"),
        ("feedback", signed("feedback", event="e", says="perhaps"), "bad_request"),
        ("feedback", signed("feedback", says="real"), "bad_request"),
        ("feedback", signed("feedback", says="real", event="e", device="p"), "bad_request"),
        ("reboot", signed("reboot"), "unknown_command"),
        ("mute", b" " * (MOST_BYTES + 1), "request_too_large"),
        ("mute", orjson.dumps({"body": "{}", "signature": "ü"}), "bad_signature"),
        ("mute", orjson.dumps({"body": "{}", "signature": signature(SECRET, "mute", "{}"), "more": 1}), "unsigned"),
        ("mute", orjson.dumps({"body": "{", "signature": signature(SECRET, "mute", "{")}), "bad_request"),
        (
            "status",
            orjson.dumps({"body": "{}", "signature": signature(SECRET, "status", "{}")}),
            "bad_request",
        ),  # neither time nor nonce
    ],
)  # fmt: skip
def test_everything_else_is_refused_with_a_reason(command: str, payload: bytes, reason: str) -> None:
    assert refused(gate(), command, payload) == reason


def test_a_body_signed_for_an_infinite_time_is_refused() -> None:
    for time_s in ("NaN", "1e999", "null", "true"):
        body = f'{{"device": "p", "nonce": "12345678", "time": {time_s}}}'
        payload = orjson.dumps({"body": body, "signature": signature(SECRET, "mute", body)})
        assert refused(gate(), "mute", payload) == "bad_request"


def test_who_asks_is_a_name_that_can_be_printed() -> None:
    for field in ("client", "transaction"):
        payload = json.dumps({"device": "p", field: "\x1b[31m"}).encode()
        assert refused(gate(""), "mute", payload) == "bad_request"


def test_bytes_that_are_no_text_are_refused_and_not_mended() -> None:
    for payload in (b'{"device": "pump-\xd0"}', b'{"device": "p", "transaction": "t\xff"}', b"\xff"):
        assert refused(gate(""), "mute", payload) == "bad_request"
        assert refused(gate(), "mute", payload) == "bad_request"


def test_where_the_broker_authenticates_a_fixed_payload_will_do_again_and_again() -> None:
    one = gate("")
    for _ in range(3):
        request = one.admit("feedback", b'{"device": "pump-1", "says": "false-alarm"}', NOW)
        assert request.command == Feedback(device="pump-1", says="false-alarm")
    assert one.admit("status", b"", NOW).transaction is None


def test_a_nonce_is_remembered_as_long_as_its_request_is_not_stale_and_over_a_snapshot() -> None:
    one = gate()
    one.admit("mute", signed(time_s=NOW + 60.0), NOW)
    again = gate()
    again.restore(one.snapshot())
    assert again.snapshot() == one.snapshot()
    assert refused(again, "mute", signed(time_s=NOW + 60.0), NOW + 120.0) == "repeated"
    assert refused(again, "mute", signed(time_s=NOW + 60.0), NOW + 121.0) == "stale"
    again.admit("mute", signed(time_s=NOW + 121.0, nonce="nonce-02"), NOW + 121.0)
    assert b"nonce-01" not in again.snapshot()
    for bad in (b"", b"{}", b'{"version": 9}', b'{"version": 1, "nonces": 3}'):
        with pytest.raises(DataError, match="snapshot of requests"):
            again.restore(bad)


@pytest.mark.parametrize("bad", [b"", b"[]", b'{"version":1}', b'{"version":1,"nonces":{"a":"1"}}'])
def test_a_snapshot_that_no_gate_has_written_is_refused_and_changes_nothing(bad: bytes) -> None:
    gate = Gate(Pass("s" * 32, 60.0))
    gate.restore(b'{"version":1,"nonces":{"n":5.0}}')
    before = gate.snapshot()
    for one in (bad, b'{"version":1,"nonces":{"a":1e300}}', b'{"version":1,"nonces":{"a":null}}'):
        with pytest.raises(DataError):
            gate.restore(one)
        assert gate.snapshot() == before


def test_nonces_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomgan.control.MOST_NONCES", 3)
    one = gate()
    for i in range(3):
        one.admit("mute", signed(nonce=f"nonce-{i:02}"), NOW)
    assert refused(one, "mute", signed(nonce="nonce-99")) == "too_many"


def test_an_answer_carries_the_transaction_and_the_error() -> None:
    assert json.loads(encode_answer("t", {"a": 1})) == {"status": "ok", "data": {"a": 1}, "transaction": "t"}
    assert json.loads(encode_answer(None, {}, "no")) == {"status": "error", "data": {}, "error": "no"}


@pytest.mark.parametrize("other", [b"", b"\xff", b"[1]", b"3", b"{}", encode_answer("t2", {}), encode_answer(None, {})])
def test_what_is_no_answer_to_a_request_is_passed_over(other: bytes) -> None:
    assert decode_answer(other, "t1") is None
    assert decode_answer(encode_answer("t1", {"a": 1}), "t1") == {"status": "ok", "data": {"a": 1}, "transaction": "t1"}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)
KEYS = st.sampled_from(
    ["device", "site", "channels", "for_s", "event", "says", "limit", "transaction", "client", "time", "nonce", "body"]
)

OBJECTS = st.dictionaries(KEYS | st.text(max_size=8), JSON, max_size=6).map(lambda made: json.dumps(made).encode())


@settings(max_examples=500)
@given(
    st.sampled_from([*COMMANDS, "", "x" * 1000, "__class__"]),
    st.binary(max_size=200) | OBJECTS,
    st.booleans(),
)  # fmt: skip
def test_no_bytes_do_more_than_be_refused(command: str, payload: bytes, sign: bool) -> None:
    """Neither plain nor, as somebody who knows the secret may send them, signed."""
    secret = SECRET if sign else ""
    if sign:
        body = payload.decode("utf-8", "replace")
        payload = json.dumps({"body": body, "signature": signature(SECRET, command, body)}).encode()
    refusal = None
    named_transaction(payload)
    try:
        request = decode_request(command, payload, secret)
    except PayloadError as error:
        refusal = error
    if refusal is None:
        assert isinstance(request.command, COMMANDS[command])
    else:
        assert refusal.reason.isidentifier()
        assert len(str(refusal)) < 1000
