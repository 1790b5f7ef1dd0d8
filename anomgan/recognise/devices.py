"""Which field of the payload names the device, where the topic does not."""

from collections.abc import Mapping, Sequence

from anomgan.errors import PayloadError
from anomgan.recognise.times import can_be_key
from anomgan.wire.payload_format import device_named

_SURE = """device device_id deviceid device_name devicename dev dev_id devid deveui dev_eui deveui sensor_id
sensorid node_id nodeid host hostname asset_id machine_id unit_id station_id serial serial_number serialnumber
bn"""
_LIKELY = """id name sensor node sn mac address addr eui uid uuid unit machine asset station meter tag client
client_id clientid gateway source thing equipment pump motor"""
BASE_NAME = "bn"
"""SenML's"""
RANK = {name: rank for rank, name in enumerate([*_SURE.split(), *_LIKELY.split()])}
SURE = len(_SURE.split())


class Names:
    """The device names that one key gives, topic by topic."""

    __slots__ = ("by_topic", "given", "key")

    def __init__(self, key: str) -> None:
        self.key = key
        self.given = 0
        self.by_topic: dict[str, set[str]] = {}

    @property
    def distinct(self) -> set[str]:
        """All of them."""
        return set().union(*self.by_topic.values())

    @property
    def sure(self) -> bool:
        """Whether the key is one that is called after devices, and nothing else is."""
        return RANK[_last(self.key)] < SURE

    @property
    def several_on_a_topic(self) -> bool:
        """Whether one topic carries several devices, so that it cannot name them."""
        return any(len(names) > 1 for names in self.by_topic.values())

    @property
    def repeat(self) -> bool:
        """Whether names come again, as those of devices do and numbers of messages do not."""
        return 2 * len(self.distinct) <= self.given


def device_keys(rows: Sequence[tuple[str, Mapping[str, object]]]) -> list[Names]:
    """The keys that may name the device, in rows of (topic, fields); all rows must have them. The likeliest first."""
    found: list[Names] = []
    for key in dict.fromkeys(name for _, fields in rows for name in fields):
        if _last(key) not in RANK or not can_be_key(key):
            continue
        names = Names(key)
        for topic, fields in rows:
            try:
                name = device_named(_as_name(key, fields.get(key)), key)
            except PayloadError:
                break
            names.given += 1
            names.by_topic.setdefault(topic, set()).add(name)
        else:
            found.append(names)
    return sorted(found, key=lambda names: (not names.sure, names.key.count("."), RANK[_last(names.key)]))


def _as_name(key: str, value: object) -> object:
    """A base name of SenML as its dialect makes a device of it."""
    return value.rstrip(":/").replace("/", ".") if key == BASE_NAME and isinstance(value, str) else value


def _last(key: str) -> str:
    return key.rpartition(".")[2].lower()
