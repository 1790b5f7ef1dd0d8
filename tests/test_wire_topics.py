"""Topic templates: what they subscribe to, read, render and refuse."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.errors import ConfigError, PayloadError
from anomgan.wire.topics import PLACEHOLDERS, check_name, parse_template

NAMES = st.text(st.characters(blacklist_categories=["C", "Z"], blacklist_characters="+#/"), min_size=1, max_size=20)
LEVELS = st.sampled_from(["plant", "{site}", "{device}", "{channel}", "+", "_", "telemetry", ""])


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plant/{site}/{device}/telemetry", "plant/+/+/telemetry"),
        ("{device}", "+"),
        ("plant/_/{device}", "plant/+/+"),
        ("plant/+/{device}/#", "plant/+/+/#"),
        ("/{device}/", "/+/"),
        ("plant/{device}/{channel}", "plant/+/+"),
        ("#", "#"),
        ("zigbee2mqtt/{device#}", "zigbee2mqtt/#"),
        ("spBv1.0/{site}/+/{device#}", "spBv1.0/+/+/#"),
        ("{device#}", "#"),
    ],
)
def test_template_subscribes_to_its_filter(template: str, expected: str) -> None:
    assert parse_template(template).filter == expected


@pytest.mark.parametrize(
    ("template", "topic", "expected"),
    [
        ("plant/{site}/{device}/telemetry", "plant/north/p1/telemetry", ("north", "p1", "")),
        ("plant/{site}/{device}/telemetry", "plant/north/p1/status", None),
        ("plant/{site}/{device}/telemetry", "plant/north/p1/telemetry/x", None),
        ("plant/{site}/{device}/telemetry", "plant/p1/telemetry", None),
        ("{device}/{channel}", "p1/flow", ("", "p1", "flow")),
        ("_/{device}", "anything/p1", ("", "p1", "")),
        ("+/{device}", "/p1", ("", "p1", "")),
        ("{device}/#", "p1/a/b/c", ("", "p1", "")),
        ("{device}/#", "p1", ("", "p1", "")),
        ("{device}/#", "p1/", ("", "p1", "")),
        ("{device}", "$SYS", None),
        ("#", "$SYS/broker", None),
        ("$SYS/{device}", "$SYS/p1", ("", "p1", "")),
        ("a.b/{device}", "axb/p1", None),
        ("{device}", "Kühlhaus 7", ("", "Kühlhaus 7", "")),
        ("plant/{device}", "plant/p1\n", "bad_device_name"),
        ("plant/{device}", "plant/", "bad_device_name"),
        ("plant/{site}/{device}", "plant// p1", "bad_site_name"),
        ("plant/{device}", "plant/ p1", "bad_device_name"),
        ("plant/{device}", "plant/" + "x" * 129, "bad_device_name"),
        ("plant/{device}", "plant/" + "x" * 128, ("", "x" * 128, "")),
        ("plant/{device}", "plant/a\x00b", "bad_device_name"),
        ("plant/{device}", "plant/\udcff", "bad_device_name"),
        ("{device}/{channel}", "p1/\x7f", "bad_channel_name"),
        ("z/{device#}", "z/lamp", ("", "lamp", "")),
        ("z/{device#}", "z/kitchen/lamp", ("", "kitchen.lamp", "")),
        ("z/{device#}", "z", None),
        ("z/{device#}", "z/", "bad_device_name"),
        ("z/{device#}", "z/a/b ", "bad_device_name"),
        ("{site}/+/{device#}", "north/x/e/d", ("north", "e.d", "")),
        ("{device#}", "$SYS/broker", None),
    ],
)
def test_topic_gives_its_address_or_none_or_a_reason(template: str, topic: str, expected: object) -> None:
    if isinstance(expected, str):
        with pytest.raises(PayloadError) as raised:
            parse_template(template).match(topic)
        assert raised.value.reason == expected
    else:
        address = parse_template(template).match(topic)
        assert (address and address[:3]) == expected
        assert address is None or address.topic == topic


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("", "it is empty"),
        ("plant/{device", "'{' inside the level"),
        ("plant/pump-{device}", "'{' inside the level"),
        ("plant/{devise}", r"unknown placeholder {devise}; known: {site}, {device}, {channel}"),
        ("{device}/{device}", r"{device} stands there twice"),
        ("{}/x", "unknown placeholder {}"),
        ("plant/#/{device}", "# can only be the last level"),
        ("plant/a+/{device}", r"'\+' inside the level"),
        ("plant/a#", "'#' inside the level"),
        ("plant/\x00/{device}", r"'\\x00' inside"),
        ("$share/group/{device}", "shared subscription"),
        ("{device#}/x", "{device#} can only be the last level"),
        ("{device}/{device#}", "{device} stands there twice"),
        ("{site#}", "unknown placeholder {site#}"),
    ],
)
def test_wrong_template_is_a_config_error_that_says_what_is_wrong(template: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as raised:
        parse_template(template)
    assert "topic template" in str(raised.value)


@given(st.lists(LEVELS, min_size=1, max_size=6), NAMES, NAMES, NAMES)
def test_what_is_rendered_is_read_back(levels: list[str], site: str, device: str, channel: str) -> None:
    kept = [level for i, level in enumerate(levels) if level not in ("+", "_") and level not in levels[:i]]
    text = "/".join(kept)
    if not text:
        return
    template = parse_template(text)
    given_names = {"site": site, "device": device, "channel": channel}
    topic = template.render(**given_names)
    expected = tuple(given_names[name] if name in template.names else "" for name in PLACEHOLDERS)
    if not topic.startswith("$"):
        found = template.match(topic)
        assert found is not None
        assert found[:3] == expected


@given(
    st.lists(LEVELS, min_size=1, max_size=5), st.booleans(), st.lists(st.sampled_from(["plant", "p1", "", "x", "$a"]))
)
def test_match_agrees_with_a_level_by_level_reading(levels: list[str], rest: bool, topic_levels: list[str]) -> None:
    placed = [level for i, level in enumerate(levels) if level[:1] != "{" or level not in levels[:i]]
    text, topic = "/".join([*placed, *(["#"] if rest else [])]), "/".join(topic_levels)
    if not text:
        return
    expected = naive_match(text, topic)
    found = parse_template(text).pattern.fullmatch(topic)
    assert (None if found is None else found.groupdict()) == expected


def naive_match(template: str, topic: str) -> dict[str, str] | None:
    """The rules of MQTT, one level after another."""
    wanted, given_levels = template.split("/"), topic.split("/")
    if topic.startswith("$") and (wanted[0] in ("+", "_", "#") or wanted[0].startswith("{")):
        return None
    names = {}
    for i, level in enumerate(wanted):
        if level == "#":
            return names
        if i >= len(given_levels):
            return None
        if level.startswith("{"):
            names[level.strip("{}")] = given_levels[i]
        elif level not in ("+", "_") and level != given_levels[i]:
            return None
    return names if len(wanted) == len(given_levels) else None


def test_a_device_of_many_levels_is_written_as_one() -> None:
    assert parse_template("z/{device#}").render(device="kitchen.lamp") == "z/kitchen.lamp"


@pytest.mark.parametrize("template", ["plant/+/{device}", "plant/_/{device}", "{device}/#"])
def test_a_template_with_wildcards_cannot_be_published_to(template: str) -> None:
    with pytest.raises(ConfigError, match=re.escape("cannot have + _ or #")):
        parse_template(template).render(device="p1")


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#", " a", "a ", "a\tb", "x" * 129, "\ud800", 7, None, ["a"]])
def test_a_name_that_cannot_stand_in_a_topic_is_refused(name: object) -> None:
    with pytest.raises(PayloadError) as raised:
        check_name("device", name)
    assert raised.value.reason == "bad_device_name"
    if isinstance(name, str):
        with pytest.raises(PayloadError, match="device name"):
            parse_template("plant/{device}").render(device=name)
