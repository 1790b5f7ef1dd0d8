"""Devices of one form -> fleets: devices with the same channels can share a model, others cannot."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from anomgan.recognise.decoded import DeviceHeard, FormHeard, channels_of
from anomgan.recognise.findings import FleetFound
from anomgan.recognise.forms import Formed
from anomgan.recognise.samples import Heard
from anomgan.records import Source

MOST_KINDS = 100
"""kinds of devices of one form; who would be another one is in no fleet"""
ALIKE = 0.6
"""share of common channels, of those that either has, from which on devices are taken for ones of a kind"""
SKEW_S = 90.0


class Kind:
    """Devices with about the same channels."""

    def __init__(self, channels: set[str]) -> None:
        self.channels = channels
        self.sources: list[Source] = []


def kinds_of(devices: Mapping[Source, DeviceHeard]) -> list[Kind]:
    """Devices by their channels, in the order in which they were heard; one without a channel joins the largest.

    At most MOST_KINDS kinds: what would be one more is left out.
    """
    kinds: list[Kind] = []
    silent: list[Source] = []
    by_size = sorted(devices, key=lambda source: -len(devices[source].channels))
    for source in by_size:
        channels = set(devices[source].channels)
        if not channels:
            silent.append(source)
            continue
        kind = next((kind for kind in kinds if _alike(channels, kind.channels) >= ALIKE), None)
        if kind is None and len(kinds) == MOST_KINDS:
            continue
        if kind is None:
            kind = Kind(channels)
            kinds.append(kind)
        kind.sources.append(source)
    if kinds:
        max(kinds, key=lambda kind: len(kind.sources)).sources.extend(silent)
    order = {source: number for number, source in enumerate(devices)}
    for kind in kinds:
        kind.sources.sort(key=lambda source: order[source])
    return sorted(kinds, key=lambda kind: order[kind.sources[0]])


def _alike(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


class Draft(NamedTuple):
    """A fleet that has neither its name nor its patterns yet, and all devices it must take."""

    fleet: FleetFound
    sources: tuple[Source, ...]


def drafts(formed: Formed, heard: FormHeard, topics: Mapping[str, Heard]) -> list[Draft]:
    """The fleets of one form, in the order of their first devices; none where nothing could be decoded."""
    form = formed.form
    kinds = kinds_of(heard.devices)
    notes = _notes(formed, heard, topics)
    if not kinds and form.dialect == "sparkplug_b":
        kinds = [Kind(set())]
        kinds[0].sources = list(heard.devices)
    elif form.device_key and len(kinds) > 1:  # the payload says which device it is: patterns cannot part them
        kinds = [Kind(set())]
        kinds[0].sources = list(heard.devices)
        notes.append("its devices are of several kinds, and on one topic: one model has to do for all of them")
    found = []
    for kind in kinds:
        devices = [heard.devices[source] for source in kind.sources]
        channels = channels_of(devices, heard.units)
        periods = sorted(one.period_s for one in channels if one.period_s is not None)
        fleet = FleetFound(
            topic=form.topic,
            dialect=form.dialect,
            time_key=form.time_key,
            time_unit=form.time_unit,
            device_key=form.device_key,
            names=tuple(
                f"{site}/{device}" if site else device
                for site, device in kind.sources
                if heard.devices[site, device].readings
            ),
            channels=channels,
            period_s=periods[len(periods) // 2] if periods else None,
            readings=sum(device.readings for device in devices),
            dropped=dict(sum((device.dropped for device in devices), Counter())),
            notes=tuple(notes),
        )
        found.append(Draft(fleet, tuple(kind.sources)))
    return found


def _notes(formed: Formed, heard: FormHeard, topics: Mapping[str, Heard]) -> list[str]:
    notes = list(formed.notes)
    if "unknown_alias" in heard.reasons:
        notes.append("data came whose birth was before the watch: the channels are named by the next birth, for which "
                     "the detector service asks")  # fmt: skip
    if all(topics[topic].messages == topics[topic].retained for topic in formed.topics):
        notes.append("only retained messages came, nothing live: watch for longer than the devices' period")
    elif heard.ahead_s:
        ahead_s = sorted(heard.ahead_s)[len(heard.ahead_s) // 2]
        if abs(ahead_s) > SKEW_S:
            way = "ahead of" if ahead_s > 0 else "behind"
            notes.append(f"the times are {_span(abs(ahead_s))} {way} the clock of the machine that watched")
    if heard.several_at_once:
        notes.append("several readings of a message have no time of their own: the service keeps but the first")
    if formed.form.dialect == "tasmota" and "time_without_zone" in heard.reasons:
        notes.append("the devices' times have no zone, so arrival counts; `Time 2` on a device lets it say Epoch")
    return notes


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
