"""Dialect `zigbee2mqtt`: the state of a Zigbee device, `{"temperature": 27.34, "contact": true, "linkquality": 92}`.

It comes on `zigbee2mqtt/NAME`. Names may have several levels: `zigbee2mqtt/{device#}` takes them all, and what else
Zigbee2MQTT publishes there (`bridge/...`, `NAME/availability`, `NAME/set`, `NAME/get`) is refused as not_telemetry.

The time is `last_seen`, where that is switched on: milliseconds or ISO 8601. Objects inside give dotted channels
(`color.x`), true and ON are 1, false and OFF are 0. Battery and supply voltage are measurements; the quality of the
radio link and the state of the firmware are not.
"""

from collections.abc import Sequence

import orjson

from anomgan.errors import DataError, PayloadError
from anomgan.records import Reading
from anomgan.wire.flat import flat_object
from anomgan.wire.nested import flatten, nest
from anomgan.wire.payload_format import PayloadFormat, read_flat, topic_of
from anomgan.wire.topics import OPEN_DEVICE, Address, TopicTemplate
from anomgan.wire.values import Decoded, leave_out, switch_states, total

NOT_MEASURED = frozenset({"linkquality", "last_seen", "elapsed", "update_available", "update", "device"})
REQUESTS = frozenset({"set", "get"})


def locate(template: TopicTemplate, topic: str) -> Address | None:
    """Whom a topic belongs to, None where it does not fit; PayloadError(not_telemetry) for what is no device state."""
    if template.levels[-1] == OPEN_DEVICE:
        name = topic.split("/")[len(template.levels) - 1 :]
        if name[:1] == ["bridge"] or name[1:][-1:] == ["availability"] or not REQUESTS.isdisjoint(name[1:]):
            if template.pattern.fullmatch(topic) is None:
                return None
            raise PayloadError("not_telemetry", "this topic of Zigbee2MQTT carries no state of a device")
    return template.match(topic)


def read(document: object, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """One reading; PayloadError where the document is not an object or holds no number."""
    fields, too_deep = flatten(document)
    odd = leave_out(fields, [name for name in fields if _not_measured(name) and name not in _keys(form)])
    decoded = read_flat(switch_states(fields), form, address, arrival_s)
    return Decoded(decoded.readings, total(too_deep, odd, decoded.dropped))


def write(readings: Sequence[Reading], form: PayloadFormat) -> list[tuple[str, bytes]]:
    """One message per reading; NaN becomes null. DataError for a name that stands for something else here."""
    messages = []
    for reading in readings:
        taken = next((name for name in reading.values if _not_measured(name)), None)
        if taken is not None:
            raise DataError(f"channel {taken!r}: Zigbee2MQTT has this name for something that is not measured")
        messages.append((topic_of(reading, form), orjson.dumps(nest(flat_object(reading, form)))))
    return messages


def _not_measured(name: str) -> bool:
    return name.split(".", 1)[0] in NOT_MEASURED


def _keys(form: PayloadFormat) -> tuple[str, str]:
    return form.time_key, form.device_key
