"""The writing side of dialect `sparkplug_b`: an edge node's births, then data by alias, with their sequence numbers.

Site and device of a reading become the topic: group, edge node and, after the first dot of the device's name, device.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from anomgan.errors import ConfigError, DataError
from anomgan.records import Reading
from anomgan.wire.payload_format import PayloadFormat
from anomgan.wire.sparkplug_b import (
    BD_SEQ,
    BIRTHS,
    BOOLEAN,
    CONTROLS,
    DOUBLE,
    INT64,
    LONGEST_TEXT,
    NAMESPACE,
    REBIRTH,
)
from anomgan.wire.sparkplug_schema import schema
from anomgan.wire.topics import OPEN_DEVICE, check_name


@dataclass(slots=True)
class _EdgeNode:
    """What one edge node has said: device ("" = the node itself) -> channel -> alias, and its next sequence number.

    unborn: those whose birth is still to be said, or once more; with that of the node come those of all its devices.
    """

    aliases: dict[str, dict[str, int]] = field(default_factory=lambda: {"": {}})
    next_alias: int = 0
    next_seq: int = 0
    unborn: set[str] = field(default_factory=lambda: {""})


class Session:
    """What the edge nodes of one fleet have said so far; births come first, and again where a channel is new."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[str, str], _EdgeNode] = {}

    def unsaid(self, messages: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        """These have not arrived: those of them that make sense later. Births come again, before the next data."""
        data = []
        for topic, payload in messages:
            _, group, what, edge, *rest = topic.split("/")
            if what in BIRTHS:
                self.nodes[group, edge].unborn.add(rest[0] if rest else "")
            else:
                data.append((topic, payload))
        return data

    def anew(self, site: str, device: str, time_s: float, form: PayloadFormat) -> list[tuple[str, bytes]]:
        """The births that a device says over a new connection; none where it has not said anything yet."""
        group, edge, name = _place(site, device, form)
        node = self.nodes.get((group, edge))
        if node is None or name not in node.aliases:
            return []
        return _births(node, group, edge, name, round(time_s * 1000))


def write(readings: Sequence[Reading], form: PayloadFormat, session: Session) -> list[tuple[str, bytes]]:
    """One data message per reading after the births that it needs; NaN is null.

    Raises ConfigError for a template other than spBv1.0/{site}/+/{device#}, which may name a group for {site}, and
    DataError for a channel with a name of Sparkplug's own.
    """
    messages: list[tuple[str, bytes]] = []
    for reading in readings:
        group, edge, device = _place(reading.site, reading.device, form)
        now = round(reading.time_s * 1000)
        node = session.nodes.setdefault((group, edge), _EdgeNode())
        if reading.values.keys() - node.aliases.get(device, {}).keys():
            _introduce(node, device, reading)
        if not node.unborn.isdisjoint(("", device)):
            messages += _births(node, group, edge, device, now)
        aliases = node.aliases[device]
        data = _message(node, now)
        for channel, value in reading.values.items():
            if math.isnan(value):
                data.metrics.add(alias=aliases[channel], timestamp=now, is_null=True)
            else:
                data.metrics.add(alias=aliases[channel], timestamp=now, double_value=value)
        messages.append((_topic(group, "DATA", edge, device), data.SerializeToString()))
    return messages


def _place(site: str, name: str, form: PayloadFormat) -> tuple[str, str, str]:
    """(group, edge node, device) of a device; the last is "" where it is the edge node itself."""
    levels = form.template.levels
    if len(levels) != 4 or levels[3] != OPEN_DEVICE or levels[1] == "+":
        raise ConfigError(
            f"topic template {form.template.text!r}: Sparkplug B is written to spBv1.0/{{site}}/+/{OPEN_DEVICE}"
        )
    group = check_name("site", site) if levels[1] == "{site}" else levels[1]
    edge, dot, device = check_name("device", name).partition(".")
    return group, check_name("device", edge), check_name("device", device) if dot else ""


def _introduce(node: _EdgeNode, device: str, reading: Reading) -> None:
    """Give aliases to what is new, so that the device is to be born."""
    aliases = node.aliases.setdefault(device, {})
    for channel in reading.values:
        if channel == BD_SEQ or channel.startswith(CONTROLS) or not 0 < len(channel.encode()) <= LONGEST_TEXT:
            raise DataError(
                f"channel {channel[:40]!r}: Sparkplug B has this name for something else, or it is too long"
            )
        if channel not in aliases:
            aliases[channel] = node.next_alias
            node.next_alias += 1
    node.unborn.add(device)


def _births(node: _EdgeNode, group: str, edge: str, device: str, now: int) -> list[tuple[str, bytes]]:
    """The birth of a device or, where that is due, of the node with all its devices."""
    born = list(node.aliases) if not device or "" in node.unborn else [device]
    node.unborn.difference_update(born)
    return [_birth(node, group, edge, one, now) for one in born]


def _birth(node: _EdgeNode, group: str, edge: str, device: str, now: int) -> tuple[str, bytes]:
    """The birth of a node or a device: names, aliases and types. Values follow as data."""
    if not device:
        node.next_seq = 0
    message = _message(node, now)
    if not device:
        message.metrics.add(name=BD_SEQ.encode(), timestamp=now, datatype=INT64, long_value=0)
        message.metrics.add(name=REBIRTH.encode(), timestamp=now, datatype=BOOLEAN, boolean_value=False)
    for channel, alias in node.aliases[device].items():
        message.metrics.add(name=channel.encode(), alias=alias, timestamp=now, datatype=DOUBLE, is_null=True)
    return _topic(group, "BIRTH", edge, device), message.SerializeToString()


def _message(node: _EdgeNode, now: int) -> Any:
    """An empty message with the next sequence number of its node."""
    message = schema().payload(timestamp=now, seq=node.next_seq)
    node.next_seq = (node.next_seq + 1) % 256
    return message


def _topic(group: str, what: str, edge: str, device: str) -> str:
    return f"{NAMESPACE}/{group}/D{what}/{edge}/{device}" if device else f"{NAMESPACE}/{group}/N{what}/{edge}"
