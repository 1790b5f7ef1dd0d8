"""Findings as an annotated TOML file for `anomgan detect`. What devices call themselves is quoted, never trusted."""

import json
import shlex
from collections.abc import Iterable, Sequence

from anomgan.config import BrokerConfig
from anomgan.recognise.findings import ChannelFound, Findings, FleetFound
from anomgan.shown import one_line, printable

MOST_LISTED = 12
HEAD = """\
# Written by `anomgan listen`; configs/detector.toml explains every key. What is not here has its default.
# Every fleet needs its model; then the service can start:
#
"""


def config_text(findings: Findings, broker: BrokerConfig, own: str) -> str:
    """The file's text; `own` is the name it will have. It is valid where at least one fleet was found."""
    commands = [*train_commands(findings.fleets, own), *detect_commands(own)]
    lines = [HEAD + "\n".join(f"#   {printable(line)}" for line in commands), "", "[broker]"]
    lines += _broker_lines(broker)
    for fleet in findings.fleets:
        lines += ["", *_fleet_lines(fleet)]
    if findings.not_understood:
        lines += ["", "# Not understood, and in no fleet:"]
        for one in findings.not_understood[:MOST_LISTED]:
            more = f" and {one.topics - 1} other topics" if one.topics > 1 else ""
            lines.append(f"#   {one_line(one.topic)}{more} ({count(one.messages, 'message')}): {one_line(one.why)}")
        hidden = len(findings.not_understood) - MOST_LISTED
        lines += [f"#   and {hidden} more"] if hidden > 0 else []
    lines += ["", "[store.sqlite]", 'path = "anomgan.db"', "", "[journal]", 'path = "anomgan-journal.db"', ""]
    return "\n".join(lines)


def train_commands(fleets: Sequence[FleetFound], own: str) -> list[str]:
    """How the model of each fleet is learned from the broker; `own` is the configuration's file."""
    several = len(fleets) > 1
    return [
        f"anomgan train --from-mqtt 30m --config {shlex.quote(own)}"
        + (f" --fleet {number}" if several else "")
        + f" --out {fleet.model}"
        for number, fleet in enumerate(fleets)
    ]


def detect_commands(own: str) -> list[str]:
    """How the service is checked and started."""
    return [f"anomgan detect {shlex.quote(own)} --check", f"anomgan detect {shlex.quote(own)}"]


def _broker_lines(broker: BrokerConfig) -> list[str]:
    """The keys that are not the default's, and a client id, so that the broker keeps messages for the service."""
    given = broker.model_copy(update={"client_id": broker.client_id or "anomgan"})
    default = BrokerConfig()
    table = {name: value for name, value in given.model_dump().items() if value != getattr(default, name)}
    return [f"{name} = {_value(value)}" for name, value in ({"host": given.host, "port": given.port} | table).items()]


def _fleet_lines(fleet: FleetFound) -> list[str]:
    period = "" if fleet.period_s is None else f", a value every {period_text(fleet.period_s)}"
    channels = _listed(map(_channel, fleet.channels))
    lines = [
        f"# {count(len(fleet.names), 'device')}{_listed(fleet.names)}",
        f"# {count(len(fleet.channels), 'channel')}{period}{channels}",
    ]
    if fleet.dropped:
        lines.append(f"# no values of the model: {_reasons(fleet)}")
    lines += [f"# note: {one_line(note)}" for note in fleet.notes]
    lines += ["[[fleets]]", f"model = {_value(fleet.model)}", f"topic = {_value(fleet.topic)}"]
    if fleet.devices != ("*",):
        lines.append(f"devices = [{', '.join(map(_value, fleet.devices))}]")
    lines.append(f"dialect = {_value(fleet.dialect)}")
    for key, value in (("time_key", fleet.time_key), ("time_unit", fleet.time_unit), ("device_key", fleet.device_key)):
        if value:
            lines.append(f"{key} = {_value(value)}")
    return lines


def _channel(channel: ChannelFound) -> str:
    unit = f" in {channel.unit}" if channel.unit else ""
    return f"{channel.name}{unit}" + (" (one value only)" if channel.distinct == 1 and channel.values > 1 else "")


def _reasons(fleet: FleetFound) -> str:
    return ", ".join(f"{reason} {number}" for reason, number in sorted(fleet.dropped.items()))


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    shown = ", ".join(map(one_line, every[:MOST_LISTED]))
    more = f" and {len(every) - MOST_LISTED} more" if len(every) > MOST_LISTED else ""
    return f": {shown}{more}" if every else ""


def count(number: int, what: str) -> str:
    """`1 device`, `3 devices`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def period_text(period_s: float) -> str:
    """A period for people: `0.25 s`, `5 min`."""
    return f"{period_s:.3g} s" if period_s < 120 else f"{period_s / 60:.3g} min"


def _value(value: object) -> str:
    """A TOML value: text as a basic string, whose escapes are those of JSON."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
