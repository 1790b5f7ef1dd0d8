"""Topic templates: `plant/{site}/{device}/telemetry` as a subscription filter, a parser and a renderer.

`{site}`, `{device}` and `{channel}` each stand for one level, `+` (or `_`) for a level of no interest, and a last
`#` for whatever follows. A last `{device#}` stands for all levels that follow: `kitchen/lamp` is device `kitchen.lamp`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from anomgan.errors import ConfigError, PayloadError

PLACEHOLDERS = ("site", "device", "channel")
OPEN_DEVICE = "{device#}"
LONGEST_NAME = 128


class Address(NamedTuple):
    """Whom a topic belongs to; "" where the template has no such placeholder."""

    site: str
    device: str
    channel: str
    topic: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class TopicTemplate:
    """A checked template. `filter` is what to subscribe to, `names` the placeholders it has."""

    text: str
    filter: str
    names: frozenset[str]
    levels: tuple[str, ...]
    pattern: re.Pattern[str]

    def match(self, topic: str) -> Address | None:
        """The address in a topic, or None where the topic does not fit; PayloadError where a name is unusable."""
        found = self.pattern.fullmatch(topic)
        if found is None:
            return None
        names = found.groupdict(default="")
        if self.levels[-1] == OPEN_DEVICE:
            names["device"] = one_level(names["device"])
        for placeholder, name in names.items():
            check_name(placeholder, name)
        return Address(names.get("site", ""), names.get("device", ""), names.get("channel", ""), topic)

    def render(self, *, site: str = "", device: str = "", channel: str = "") -> str:
        """The topic to publish to; ConfigError where the template has wildcards, PayloadError for an unusable name."""
        return _render(self, site, device, channel)


@lru_cache(maxsize=65_536)
def _render(template: TopicTemplate, site: str, device: str, channel: str) -> str:
    if template.levels[-1] == "#" or "+" in template.levels:
        raise ConfigError(f"topic template {template.text!r}: a topic to publish to cannot have + _ or #")
    given = {"site": site, "device": device, "channel": channel}
    for placeholder in template.names:
        check_name(placeholder, given[placeholder])
    return "/".join(given[level.strip("{#}")] if level[:1] == "{" else level for level in template.levels)


@lru_cache(maxsize=256)
def parse_template(text: str) -> TopicTemplate:
    """Check a template and make it ready; ConfigError says what is wrong with it."""
    levels = ["+" if level == "_" else level for level in text.split("/")]
    names = [level.strip("{#}") for level in levels if level[:1] == "{" and level[-1:] == "}"]
    for index, level in enumerate(levels):
        _check_level(text, level, last=index == len(levels) - 1)
    if not text:
        raise ConfigError("topic template: it is empty")
    if levels[0] == "$share":
        raise ConfigError(f"topic template {text!r}: a shared subscription would split one device over several readers")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"topic template {text!r}: {{{twice}}} stands there twice")
    open_end = levels[-1] == "#"
    parts = [_level_pattern(level) for level in (levels[:-1] if open_end else levels)]
    pattern = "/".join(parts) + ("(?:/.*)?" if open_end and parts else ".*" if open_end else "")
    # A wildcard in the first level does not match topics such as $SYS/...: the broker holds to that, so do we.
    guard = r"(?!\$)" if levels[0][:1] in ("{", "+", "#") else ""
    filters = {"{": "+", OPEN_DEVICE: "#"}
    topic_filter = "/".join(filters.get(level, filters.get(level[:1], level)) for level in levels)
    return TopicTemplate(text, topic_filter, frozenset(names), tuple(levels), re.compile(guard + pattern, re.DOTALL))


def _check_level(text: str, level: str, *, last: bool) -> None:
    where = f"topic template {text!r}"
    if level in ("+", "#"):
        if level == "#" and not last:
            raise ConfigError(f"{where}: # can only be the last level")
        return
    if level == OPEN_DEVICE:
        if not last:
            raise ConfigError(f"{where}: {level} can only be the last level")
        return
    if level[:1] == "{" and level[-1:] == "}":
        if level[1:-1] not in PLACEHOLDERS:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ConfigError(f"{where}: unknown placeholder {level}; known: {known}")
        return
    wrong = next((letter for letter in level if letter in "+#{}" or not letter.isprintable()), None)
    if wrong is not None:
        raise ConfigError(
            f"{where}: {wrong!r} inside the level {level!r}; wildcards and placeholders fill a whole level"
        )


def _level_pattern(level: str) -> str:
    if level == OPEN_DEVICE:
        return "(?P<device>.*)"
    if level == "+":
        return "[^/]*"
    if level[:1] == "{":
        return f"(?P<{level[1:-1]}>[^/]*)"
    return re.escape(level)


def one_level(name: str) -> str:
    """A name of several levels as one: `kitchen/lamp` -> `kitchen.lamp`, which can stand in a topic of our own."""
    return name.replace("/", ".")


def check_name(kind: str, name: object) -> str:
    """A site, device or channel name that can stand in a topic; PayloadError(`bad_<kind>_name`) where it cannot."""
    if not isinstance(name, str):
        raise PayloadError(f"bad_{kind}_name", f"{kind} name {name!r} is not text")
    if not name:
        raise PayloadError(f"bad_{kind}_name", f"the {kind} name is empty")
    if len(name) > LONGEST_NAME:
        raise PayloadError(f"bad_{kind}_name", f"{kind} name {name[:20]!r}... has more than {LONGEST_NAME} characters")
    if not name.isprintable() or name != name.strip() or any(letter in name for letter in "+#/"):
        raise PayloadError(
            f"bad_{kind}_name",
            f"{kind} name {name!r} has a control character, a space at its edge, or one of + # /",
        )
    return name
