"""In Sparkplug B, whose data cannot be read without births, a bad network leaves what arrives readable."""

import math
import tomllib

import pytest

from anomgan.errors import PayloadError
from anomgan.simulate import Network, parse_scenario, ticks
from anomgan.simulate.network import Delivery
from anomgan.wire import Decoder, Encoder, PayloadFormat, parse_template
from anomgan_simulator.play import encoder_of

PLANT = """
[clock]
duration_s = 300
seed = 1
[output]
dialect = "sparkplug_b"
topic = "spBv1.0/{site}/+/{device#}"
[[devices]]
kind = "pump"
name = "{name}"
count = 3
site = "north"
"""


def arrivals(name: str, network: str) -> tuple[list[Delivery], int]:
    """What reaches the broker, and how many messages are lost or have overflowed."""
    scenario = parse_scenario(tomllib.loads(PLANT.replace("{name}", name) + network), "plant.toml")
    assert scenario.network is not None
    stage, encoder, found = Network(scenario.network), encoder_of(scenario.config.output), list[Delivery]()
    for tick in ticks(scenario):
        found += [what for what in stage.due(stage.row_s(tick.row), also=False) if isinstance(what, Delivery)]
        stage.take(tick.row, tick.readings, encoder)
    found += [what for what in stage.due(math.inf, also=False) if isinstance(what, Delivery)]
    counts = stage.finish()
    assert counts.published == len(found) == counts.generated + counts.duplicated - counts.lost - counts.overflowed
    assert counts.reordered == 0
    return found, counts.lost + counts.overflowed


def reads(found: list[Delivery]) -> int:
    """How many data messages can be read: all whose clock is set, every value of them."""
    decoder, read = Decoder(PayloadFormat(parse_template("spBv1.0/{site}/+/{device#}"), "sparkplug_b")), 0
    refused = set[str]()
    for one in found:
        try:
            decoded = decoder.decode(one.topic, one.payload, 1.8e9)
        except PayloadError as error:
            refused.add(error.reason)
            continue
        assert not decoded.dropped
        read += sum(1 for reading in decoded.readings if reading.values)
    assert refused <= {"time_in_past"}
    return read


@pytest.mark.parametrize("name", ["pump-", "edge.pump-"])
@pytest.mark.parametrize(
    "network",
    [
        "[network]\nloss = 0.5",
        "[network]\ndelay_s = 2\n[[incidents]]\nkind = 'reboot'\nend_s = 5\nunset_s = 1",
        "[network]\nbuffer = 4\n[[incidents]]\nkind = 'outage'\nend_s = 50",
    ],
)
def test_whatever_is_lost_what_arrives_can_be_read(name: str, network: str) -> None:
    found, lost = arrivals(name, network)
    assert lost > 0 or "reboot" in network
    assert reads(found) > 300


@pytest.mark.parametrize(
    "network",
    [
        "[network]\ndelay_s = 2\n[[incidents]]\nkind = 'reboot'\nstart_s = 1\nend_s = 50\n",
        "[[incidents]]\nkind = 'outage'\nend_s = 50\n",
        "[network]\nbuffer = 4\n[[incidents]]\nkind = 'outage'\nend_s = 50\n",
    ],
)
def test_a_node_is_born_by_its_other_devices_where_the_first_is_offline(network: str) -> None:
    found, _ = arrivals("edge.pump-", network + "device = 'edge.pump-1'\n")
    births = [one for one in found if "/NBIRTH/" in one.topic]
    assert {one.source[1] for one in births} == {"edge.pump-2"}
    assert max(one.due_s for one in births) < 10
    assert reads(found) > 700


@pytest.mark.parametrize(("name", "what"), [("pump-", "NBIRTH"), ("edge.pump-", "DBIRTH")])
@pytest.mark.parametrize("kind", ["reboot", "outage", "absent"])
def test_a_device_is_born_again_with_every_connection(name: str, what: str, kind: str) -> None:
    incident = f"[[incidents]]\nkind = '{kind}'\ndevice = '{name}2'\nstart_s = 100\nend_s = 130\n"
    found, _ = arrivals(name, incident)
    births = [one.due_s for one in found if one.source[1] == f"{name}2" and f"/{what}/" in one.topic]
    assert [due_s for due_s in births if due_s > 0] == [130.0]
    assert reads(found) > 700
    back = [one.topic.split("/")[2] for one in found if one.source[1] == f"{name}2" and one.due_s >= 100]
    assert back[0] == what  # before its data
    others = [one for one in found if one.source[1] != f"{name}2" and one.due_s > 0]
    assert not [one.topic for one in others if "BIRTH" in one.topic]


def test_a_birth_said_again_keeps_its_aliases() -> None:
    form = PayloadFormat(parse_template("spBv1.0/{site}/+/{device#}"), "sparkplug_b")
    scenario = parse_scenario(tomllib.loads(PLANT.replace("{name}", "edge.pump-")), "plant.toml")
    encoder, decoder = Encoder(form), Decoder(form)
    first, second, third = (tick.readings for tick in ticks(scenario, 0, 3))
    early = encoder.encode(first)
    births = [message for message in early if "BIRTH" in message[0]]
    assert encoder.unsaid(early) == [message for message in early if message not in births]
    encoder.unsaid(births[:1])  # of the node, and with it of all its devices
    again = encoder.encode(second)
    assert [topic for topic, _ in again if "BIRTH" in topic] == [topic for topic, _ in births]
    for topic, payload in again:
        decoder.decode(topic, payload, 1.8e9)
    data = [message for message in early if "DATA" in message[0]]
    assert all(not decoder.decode(topic, payload, 1.8e9).dropped for topic, payload in data)
    assert not [topic for topic, _ in encoder.encode(third) if "BIRTH" in topic]
