"""Fleets side by side, as the service asks them: the first that fits takes a message. So their order, their patterns
and their names are settled here, and it is tried whether every sample comes to a fleet that reads it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import takewhile

from anomgan.errors import PayloadError
from anomgan.recognise.findings import FleetFound, NotUnderstood
from anomgan.recognise.fleets import Draft
from anomgan.recognise.samples import Sample, Watch
from anomgan.wire.topics import OPEN_DEVICE

_WORD = re.compile(r"[a-z0-9]+")
LONGEST_NAME = 40


def told_apart(drafts: Iterable[Draft]) -> list[FleetFound]:
    """The fleets in order, each with patterns that leave the others their devices, and with a name of its own."""
    ordered = sorted(drafts, key=lambda draft: _openness(draft.fleet))
    fleets: list[FleetFound] = []
    names: Counter[str] = Counter()
    for number, (fleet, sources) in enumerate(ordered):
        rivals = [
            draft
            for at, draft in enumerate(ordered)
            if (at > number or _form(draft.fleet) == _form(fleet)) and at != number and _overlap(fleet, draft.fleet)
        ]
        others = {device for rival in rivals for _, device in rival.sources}
        own = {device for _, device in sources}
        patterns = patterns_of(own, others) if others and own and not fleet.device_key else ("*",)
        name = _name(fleet.topic, own, distinct=bool(others))
        names[name] += 1
        name = f"{name}-{names[name]}" if names[name] > 1 else name
        fleets.append(replace(fleet, devices=patterns, name=name))
    return fleets


def routed(
    fleets: Sequence[FleetFound], watch: Watch, topics: Iterable[str]
) -> tuple[list[FleetFound], list[NotUnderstood]]:
    """Every sample given to the fleet that would take it: the fleets with their messages counted, and what failed."""
    decoders = [(fleet, fleet.decoder()) for fleet in fleets]
    messages, retained = Counter[int](), Counter[int]()
    route: dict[str, int] = {}
    for topic in topics:
        taking = (at for at, (fleet, decoder) in enumerate(decoders) if fleet.takes(decoder, topic))
        route[topic] = next(taking, -1)
    failed: dict[tuple[str, str], tuple[Sample, str, int]] = {}
    for sample in in_order(watch, route):
        at = route[sample.topic]
        try:
            if at < 0:
                raise PayloadError(
                    "nowhere",
                    "no fleet takes this topic: its channels are like no other device's, and there are too many kinds",
                )
            decoders[at][1].decode(sample.topic, sample.payload, sample.arrival_s)
        except PayloadError as error:
            first, why, count = failed.get((sample.topic, error.reason), (sample, str(error), 0))
            failed[sample.topic, error.reason] = first, why, count + 1
    refused: list[NotUnderstood] = []
    lost: Counter[str] = Counter()
    for (topic, _), (sample, why, count) in failed.items():
        heard = watch.topics[topic]
        whole = count == len(heard.telling)
        lost[topic] += heard.messages if whole else count
        refused.append(NotUnderstood(topic, sample.payload, _short(why), heard.messages if whole else count))
    for topic, at in route.items():
        messages[at] += watch.topics[topic].messages - lost[topic]
        retained[at] += watch.topics[topic].retained
    counted = [
        replace(fleet, messages=messages[at], retained=min(retained[at], messages[at]))
        for at, fleet in enumerate(fleets)
    ]
    return counted, refused


def in_order(watch: Watch, topics: Iterable[str]) -> list[Sample]:
    """The telling samples of some topics in the order in which they came."""
    samples = [sample for topic in topics for sample in watch.topics[topic].telling]
    return sorted(samples, key=lambda sample: sample.arrival_s)


def summed(refused: Iterable[NotUnderstood]) -> tuple[NotUnderstood, ...]:
    """What is not understood for one reason on topics of one sort, told once: most messages first."""
    together: dict[tuple[str, int, str], NotUnderstood] = {}
    for one in refused:
        levels = one.topic.split("/")
        key = one.why, len(levels), levels[0]
        before = together.get(key)
        if before is None:
            together[key] = one
        else:
            together[key] = replace(before, messages=before.messages + one.messages, topics=before.topics + 1)
    return tuple(sorted(together.values(), key=lambda one: -one.messages))


def _short(why: str) -> str:
    """A decoder's words without the topic they begin with."""
    return why.partition("': ")[2] or why


def _form(fleet: FleetFound) -> tuple[str, ...]:
    return fleet.topic, fleet.dialect, fleet.time_key, fleet.time_unit, fleet.device_key


def _openness(fleet: FleetFound) -> tuple[bool, bool, int]:
    """Order in a file: what fits the fewest topics comes first."""
    levels = fleet.topic.split("/")
    open_levels = sum(level[:1] in ("{", "+", "#") for level in levels)
    return bool(fleet.device_key), levels[-1] in ("#", OPEN_DEVICE), open_levels


def _overlap(one: FleetFound, other: FleetFound) -> bool:
    """Whether a topic can fit both templates."""
    pairs = zip(one.topic.split("/"), other.topic.split("/"), strict=False)
    ends = [fleet.topic.split("/")[-1] in ("#", OPEN_DEVICE) for fleet in (one, other)]
    deep = [fleet.topic.count("/") for fleet in (one, other)]
    if deep[0] != deep[1] and not (ends[0] and deep[1] > deep[0]) and not (ends[1] and deep[0] > deep[1]):
        return False
    return all(a == b or a[:1] in ("{", "+", "#") or b[:1] in ("{", "+", "#") for a, b in pairs)


# ---------------------------------------------------------------- patterns and names


def patterns_of(names: set[str], others: set[str]) -> tuple[str, ...]:
    """Shell patterns that fit these names and none of the others: what names of one stem share, else the names."""
    stems: dict[str, list[str]] = {}
    for name in sorted(names):
        stems.setdefault(_stem(name), []).append(name)
    patterns: list[str] = []
    for stem, alike in stems.items():
        if len(alike) > 1 and len(stem) > 1 and not any(other.startswith(stem) for other in others):
            patterns.append(_escaped(stem) + "*")
        else:
            patterns += map(_escaped, alike)
    return tuple(patterns)


def _stem(name: str) -> str:
    """A name up to its first digit: `pump-12` -> `pump-`."""
    return "".join(takewhile(lambda letter: not letter.isdigit(), name))


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _name(topic: str, devices: set[str], *, distinct: bool) -> str:
    """A short name for a fleet, also of its model's file: that of its device or the stem of several, else its topic's
    own words."""
    stems = {_stem(device) for device in devices}
    words: list[str] = []
    if len(devices) == 1 and distinct:
        words = _WORD.findall(min(devices).lower())
    elif len(stems) == 1 and len(min(stems)) > 1:
        words = _WORD.findall(min(stems).lower())
    if not words:
        levels = [level for level in topic.split("/") if level[:1] not in ("{", "+", "#")]
        words = _WORD.findall(" ".join(levels).lower())
    return "-".join(words)[:LONGEST_NAME].strip("-") or "devices"
