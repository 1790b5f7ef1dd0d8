"""What is customary in each dialect: where its messages come, what their time is called and in which unit it is."""

from typing import NamedTuple

from anomgan.config import DialectName, TimeUnit


class Convention(NamedTuple):
    """What a configuration need not say, and what it cannot say, because the format says it."""

    topic: str = "plant/{site}/{device}/telemetry"
    """the customary template"""
    time_key: str = "ts"
    """"" = the dialect looks in the place the format has for it"""
    time_unit: TimeUnit = "s"
    fixed: frozenset[str] = frozenset()
    """keys of the configuration that are not for this dialect"""
    device_key: str = ""
    """the only key that can name the device; "" = any"""
    partial: bool = False
    """whether a message may hold only some of the channels of a row, the others being in messages of their own"""


CONVENTIONS: dict[DialectName, Convention] = {
    "flat": Convention(),
    "nested": Convention(),
    "metric": Convention("plant/{site}/{device}/{channel}", partial=True, fixed=frozenset({"device_key"})),
    "array": Convention(),
    "columnar": Convention(),
    "zigbee2mqtt": Convention("zigbee2mqtt/{device}", "last_seen", "ms"),
    "tasmota": Convention("tele/{device}/SENSOR", ""),
    "chirpstack": Convention("application/{site}/device/{device}/event/up", "time"),
    "things_stack": Convention("v3/{site}/devices/{device}/up", "uplink_message.received_at"),
    "senml": Convention(
        "senml/{device}", "", fixed=frozenset({"time_key", "time_unit"}), device_key="bn", partial=True
    ),
    "sparkplug_b": Convention(
        "spBv1.0/{site}/+/{device#}",
        "",
        "ms",
        frozenset({"time_key", "time_unit", "device_key"}),
        partial=True,
    ),
    "influx": Convention("telegraf/{device}/+", "", "ns", frozenset({"time_key"}), partial=True),
}
