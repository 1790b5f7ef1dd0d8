"""What Sparkplug edge nodes said at their birth: the names behind the aliases of all that they send later.

It is bounded, it can be saved and put back, and it knows whom to ask for another birth.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anomgan.errors import DataError

MOST_NAMES = 500_000
MOST_NODES_ASKED = 10_000
ASK_AGAIN_S = 60.0
FORMAT: Literal["sparkplug births 1"] = "sparkplug births 1"

Node = tuple[str, str]
"""(group, edge node)"""


class Known(NamedTuple):
    """What a birth says of a metric."""

    name: str
    datatype: int


Table = Mapping[int | str, Known]
"""alias, or name where there is none -> metric"""
NOTHING: Table = {}


class Births:
    """The births of one fleet's edge nodes, at most `most` names in all: the oldest births are forgotten first."""

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        self._held = 0
        self._nodes: dict[Node, dict[str, Table]] = {}
        self._doubtful: set[Node] = set()
        self._asked: dict[Node, float] = {}
        self._to_ask: dict[Node, float] = {}

    def __len__(self) -> int:
        """How many names are held, of metrics and of devices."""
        return self._held

    def bear(self, node: Node, device: str, table: Table) -> None:
        """Take a birth in; that of a node itself (device "") ends what its devices said before."""
        devices = self._forget(node)
        if not device:
            devices = {}
            self._asked.pop(node, None)
            self._to_ask.pop(node, None)
            self._doubtful.discard(node)
        devices[device] = table
        self._nodes[node] = devices  # now the youngest
        self._held += _names(devices)
        while self._held > self._most:
            self._forget(next(iter(self._nodes)))

    def _forget(self, node: Node) -> dict[str, Table]:
        devices = self._nodes.pop(node, {})
        self._held -= _names(devices)
        return devices

    def table(self, node: Node, device: str, arrival_s: float) -> Table:
        """What is known of a device whose data have come; a birth from before a restart is asked to be said again."""
        if node in self._doubtful:
            self._doubtful.discard(node)
            self.ask(node, arrival_s)
        return self._nodes.get(node, {}).get(device, NOTHING)

    def ask(self, node: Node, arrival_s: float) -> None:
        """Note that a node's birth is needed; it is asked for once a minute at most."""
        if abs(arrival_s - self._asked.get(node, float("-inf"))) < ASK_AGAIN_S:
            return
        self._asked.pop(node, None)
        self._asked[node] = self._to_ask[node] = arrival_s
        if len(self._asked) > MOST_NODES_ASKED:
            forgotten = next(iter(self._asked))
            del self._asked[forgotten]
            self._to_ask.pop(forgotten, None)

    def take_asked(self) -> dict[Node, float]:
        """The nodes to ask for a birth since the last call, and when they were found out."""
        asked, self._to_ask = self._to_ask, {}
        return asked

    def snapshot(self) -> bytes:
        """All births as versioned bytes."""
        nodes = [
            [*node, {device: [[key, *known] for key, known in table.items()] for device, table in devices.items()}]
            for node, devices in self._nodes.items()
        ]
        return orjson.dumps({"format": FORMAT, "nodes": nodes})

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for foreign or damaged bytes, which change nothing.

        The names serve at once, and every node is asked to say them again with its first data: they may have changed
        while nobody listened.
        """
        nodes = _parse(snapshot)
        for node, devices in nodes.items():
            for device, table in devices.items():
                self.bear(node, device, table)
        self._doubtful |= nodes.keys() & self._nodes.keys()


def _names(devices: Mapping[str, Table]) -> int:
    return sum(1 + len(table) for table in devices.values())


Alias = Annotated[int, Field(ge=0, lt=2**64)]
Datatype = Annotated[int, Field(ge=0, lt=2**32)]


class _Snapshot(BaseModel):
    """What `Births.snapshot` writes."""

    model_config = ConfigDict(strict=True, extra="forbid")

    format: Literal["sparkplug births 1"]
    nodes: list[tuple[str, str, dict[str, list[tuple[Alias | str, str, Datatype]]]]]


def _parse(snapshot: bytes) -> dict[Node, dict[str, Table]]:
    """The nodes in a snapshot; of each the node's own table comes first."""
    try:
        document = _Snapshot.model_validate_json(snapshot)
    except ValidationError as error:
        raise DataError(f"these bytes are no snapshot of births: {error.errors()[0]['msg']}") from None
    nodes: dict[Node, dict[str, Table]] = {}
    for group, edge, devices in document.nodes:
        tables: dict[str, Table] = {
            device: {key: Known(name, datatype) for key, name, datatype in rows} for device, rows in devices.items()
        }
        nodes[group, edge] = {"": tables.pop("", NOTHING), **tables}
    return nodes
