"""Topics of one system -> templates: which level is the device, the site, the channel, and which are always the same.

A level that differs among topics is somebody's name. The deepest such level is the device, unless it says what kind of
message follows (`.../telemetry`, `.../energy`): then each kind has a template of its own. Above it comes the site.
Where nothing differs, because a single device is there, the deepest level that is no word such as `data` is it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

Levels = tuple[str, ...]
Channels = frozenset[str]

_GENERIC = """telemetry data state status sensor sensors json value values up uplink measurement measurements reading
readings attributes event events tele stat raw out metric metrics device devices get rpc payload msg message messages v1
v2 v3 api live all report reports info input output rx tx pub topic mqtt iot binary_sensor number"""
_QUANTITIES = """temperature temp humidity pressure flow level power energy voltage current frequency speed rpm
vibration acceleration torque position angle distance weight mass volume density concentration co2 co voc pm25 pm10 pm1
no2 o3 lux light illuminance brightness battery rssi snr noise sound ph ec conductivity turbidity oxygen moisture rain
wind uv irradiance radiation gas smoke water occupancy motion contact open valve setpoint load cpu memory uptime
dewpoint amps volts watts hz heat cooling factor phase count total rate duty fan heater pump motor door state_of_charge
soc"""
GENERIC = frozenset(_GENERIC.split())
"""words that say what kind of message it is, and name no device"""
QUANTITIES = frozenset(_QUANTITIES.split())
"""words for what is measured: they name a channel"""
_CUSTOMARY = {"chirpstack": ("application", "device"), "things_stack": ("v3", "devices")}


class Template(NamedTuple):
    """A template and the topics it was made from."""

    text: str
    topics: tuple[str, ...]
    notes: tuple[str, ...] = ()


def customary_uplink(dialect: str, topics: Sequence[str]) -> Template | None:
    """The template of uplinks where their topics are as their network server makes them, None where they are not."""
    root, device = _CUSTOMARY[dialect]
    first = topics[0].split("/")
    at = next((at for at in range(len(first) - 3) if first[at] == root and first[at + 2] == device), None)
    if at is None:
        return None
    text = "/".join([*first[: at + 1], "{site}", device, "{device}", *first[at + 4 :]])
    fixed = [place for place in range(len(first)) if place not in (at + 1, at + 3)]
    same = all([topic.split("/")[place] for place in fixed] == [first[place] for place in fixed] for topic in topics)
    return Template(text, tuple(topics)) if same else None


def templates(
    topics: Mapping[str, Channels], told: Callable[[str], str] = lambda topic: "", *, device_in_payload: bool = False
) -> list[Template]:
    """Templates for topics of as many levels each, with what channels they carry; `told` = a device a payload names.

    device_in_payload: the template needs no {device}.
    """
    split = {topic: tuple(topic.split("/")) for topic in topics}
    varying = _varying(split.values())
    kind = _kind_level(split, varying, topics)
    if kind is not None:
        found: list[Template] = []
        for value in dict.fromkeys(levels[kind] for levels in split.values()):
            part = {topic: topics[topic] for topic, levels in split.items() if levels[kind] == value}
            found += templates(part, told, device_in_payload=device_in_payload)
        return found
    if device_in_payload:
        return [_render(split, {}, varying)]
    device = _named_level(split, told)
    if device is None:
        device = varying[-1] if varying else _deepest_name(next(iter(split.values())))
    roles = {device: "{device}"}
    notes: tuple[str, ...] = ()
    above = [level for level in varying if level < device]
    if above:
        site, notes = _site(split, above, lambda levels: (levels[device],))
        roles[site] = "{site}"
    return [_render(split, roles, varying, notes)]


def metric_template(topics: Sequence[str]) -> Template | None:
    """The template where every channel has a topic of its own; None where no level is left to be the device."""
    split = {topic: tuple(topic.split("/")) for topic in topics}
    depth = len(next(iter(split.values())))
    if depth < 2:
        return None
    varying = _varying(split.values())
    columns = {at: {levels[at].lower() for levels in split.values()} for at in range(depth)}
    named = {at: sum(map(is_quantity, column)) / len(column) for at, column in columns.items()}
    telling = [at for at in range(depth) if not columns[at] <= GENERIC] or list(range(depth))
    best = max(telling, key=lambda at: (named[at] > 0.5, named[at] if named[at] > 0.5 else 0.0, at in varying, at))
    others = [at for at in telling if at != best]
    above = [at for at in others if at < best] or others
    apart = [at for at in others if at in varying]
    device = max(apart, default=max(above, default=best - 1 if best else 1))
    roles = {best: "{channel}", device: "{device}"}
    notes: tuple[str, ...] = ()
    if named[best] <= 0.5:
        notes = (f"which level is the device and which the channel is a guess: {_shown(split, roles)}",)
    sites = [at for at in varying if at not in roles]
    if sites:
        site, more = _site(split, sites, lambda levels: (levels[device], levels[best]))
        roles[site] = "{site}"
        notes += more
    return _render(split, roles, varying, notes)


def _shown(split: Mapping[str, Levels], roles: Mapping[int, str]) -> str:
    first = next(iter(split.values()))
    return ", ".join(f"{name} = {first[at]}" for at, name in sorted(roles.items()))


def is_quantity(level: str) -> bool:
    """Whether a level names what is measured."""
    return level in QUANTITIES or not QUANTITIES.isdisjoint(level.replace("-", "_").replace(" ", "_").split("_"))


def _varying(split: Iterable[Levels]) -> list[int]:
    rows = list(split)
    return [at for at in range(len(rows[0])) if len({row[at] for row in rows}) > 1]


def _kind_level(split: Mapping[str, Levels], varying: Sequence[int], topics: Mapping[str, Channels]) -> int | None:
    """The level that says what kind of message follows, None where none does.

    It has a word such as `telemetry` among its values; or the same values under several names, with channels that
    depend on the value.
    """
    for at in reversed(varying):
        values = {levels[at] for levels in split.values()}
        if not GENERIC.isdisjoint({value.lower() for value in values}):
            return at
        carried: dict[str, set[Channels]] = {}
        under: dict[str, set[Levels]] = {}
        for topic, levels in split.items():
            carried.setdefault(levels[at], set()).add(topics[topic])
            under.setdefault(levels[at], set()).add(levels[:at] + levels[at + 1 :])
        uniform = all(len(sets) == 1 for sets in carried.values())
        depends = uniform and len({next(iter(sets)) for sets in carried.values()}) == len(carried)
        if depends and all(len(names) > 1 for names in under.values()):
            return at
    return None


def _named_level(split: Mapping[str, Levels], told: Callable[[str], str]) -> int | None:
    """The deepest level that is what the payload calls the device, on all topics; None where there is none."""
    depth = len(next(iter(split.values())))
    for at in reversed(range(depth)):
        if all(told(topic) and levels[at] == told(topic) for topic, levels in split.items()):
            return at
    return None


def _deepest_name(levels: Levels) -> int:
    own = [at for at, level in enumerate(levels) if level.lower() not in GENERIC]
    return own[-1] if own else len(levels) - 1


def _site(
    split: Mapping[str, Levels], levels: Sequence[int], key: Callable[[Levels], Levels]
) -> tuple[int, tuple[str, ...]]:
    """Which of these levels is the site: the first that makes every device's name its own; and what is doubtful."""
    for at in levels:
        rest = [other for other in levels if other != at]
        if len({(key(row), row[at]) for row in split.values()}) == len(
            {(key(row), row[at], *(row[other] for other in rest)) for row in split.values()}
        ):
            return at, ()
    return levels[0], ("several devices have one name here: they differ in a level that is neither site nor device",)


def _render(
    split: Mapping[str, Levels], roles: Mapping[int, str], varying: Sequence[int], notes: tuple[str, ...] = ()
) -> Template:
    first = next(iter(split.values()))
    levels = [roles.get(at, "+" if at in varying or _wild(level) else level) for at, level in enumerate(first)]
    return Template("/".join(levels), tuple(split), notes)


def _wild(level: str) -> bool:
    """Whether a level cannot stand in a template as it is."""
    return any(letter in "+#{}" for letter in level) or level == "_"
