"""What the tests of the wire share: a topic of every dialect, and the law that any payload is read or refused."""

import math

from hypothesis import strategies as st

from anomgan.config import DialectName
from anomgan.errors import PayloadError
from anomgan.wire import Decoded, Decoder, PayloadFormat, parse_template
from anomgan.wire.conventions import CONVENTIONS

NOW = 1_750_000_000.0
EXAMPLES = 40
TOPICS: dict[DialectName, str] = {
    "flat": "plant/north/p1/telemetry",
    "nested": "plant/north/p1/telemetry",
    "metric": "plant/north/p1/flow",
    "array": "plant/north/p1/telemetry",
    "columnar": "plant/north/p1/telemetry",
    "zigbee2mqtt": "zigbee2mqtt/p1",
    "tasmota": "tele/p1/SENSOR",
    "chirpstack": "application/north/device/p1/event/up",
    "things_stack": "v3/north/devices/p1/up",
    "senml": "senml/p1",
    "sparkplug_b": "spBv1.0/north/DDATA/e1/p1",
    "influx": "telegraf/p1/pump",
}
"""where a message of device p1 comes, by the customary template"""


def decoder_of(dialect: DialectName, topic: str = "", **options: object) -> Decoder:
    """A decoder for the customary template, or another one."""
    template = parse_template(topic or CONVENTIONS[dialect].topic)
    return Decoder(PayloadFormat(template, dialect, **options))  # type: ignore[arg-type]  # names as in the record


def is_sound(decoded: Decoded, *, may_be_empty: bool = False) -> bool:
    """What every reading must be, whatever came in."""
    return (
        (may_be_empty or len(decoded.readings) > 0)
        and all(count > 0 for count in decoded.dropped.values())
        and all(isinstance(unit, str) and unit for unit in decoded.units.values())
        and all(
            reading.device
            and reading.device.isprintable()
            and 946_684_800.0 <= reading.time_s <= NOW + 86_400.0
            and reading.values
            and all(type(value) is float and not math.isinf(value) for value in reading.values.values())
            for reading in decoded.readings
        )
    )


def read_or_refuse(decoder: Decoder, topic: str, payload: bytes) -> None:
    """Decode a payload: only sound readings or a refusal with a reason may come of it."""
    try:
        decoded = decoder.decode(topic, payload, NOW)
    except PayloadError as error:
        assert error.reason.replace("_", "").isalpha()  # noqa: PT017 one of the two allowed outcomes
    else:
        assert is_sound(decoded, may_be_empty="BIRTH" in topic)


def damage(data: st.DataObject, good: bytes) -> bytes:
    """A payload with a few places overwritten, cut out or doubled."""
    payload = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(payload) - 1))
        length = data.draw(st.integers(0, 8))
        payload[at : at + length] = data.draw(st.binary(max_size=4) | st.just(bytes(payload[at : at + 8])))
        if not payload:
            break
    return bytes(payload)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([1.7e9, 1.7e12, "2023-11-14T22:13:20Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]),
    st.sampled_from(["ON", "OFF", "C", "2017-02-16T10:13:52"]),
)
KEYS = (
    st.sampled_from(["ts", "value", "flow", "level", "", "a.b"])
    | st.sampled_from(["Time", "Epoch", "TempUnit", "StatusSNS", "Temperature", "last_seen", "linkquality", "update"])
    | st.sampled_from(["object", "time", "uplink_message", "decoded_payload", "received_at"])
    | st.sampled_from(["bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "x_"])
    | st.text(max_size=5)
)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
"""JSON with the words of all dialects in it"""
