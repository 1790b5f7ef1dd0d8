"""Which broker each device belongs to, so that two devices of one name on two brokers are never taken for one.

A named broker is the site of devices whose topics name none, so that names differ already. Where topics do name the
site, the same site and device may come from two brokers: the first to bring it has it, and the other's readings are
dropped and counted. Part of the state: turns made again must come to the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from anomgan.errors import DataError
from anomgan.records import Reading, Source


class Origins:
    """(site, device) -> the broker that brought it first."""

    def __init__(self) -> None:
        self._broker: dict[Source, str] = {}

    def ours(self, broker: str, readings: Sequence[Reading]) -> list[Reading]:
        """The readings of devices that belong to this broker already, or to nobody."""
        first = self._broker.get
        return [reading for reading in readings if first(reading.source, broker) == broker]

    def own(self, broker: str, readings: Sequence[Reading]) -> list[Reading]:
        """The readings of devices that belong to this broker, from now on or already."""
        first = self._broker.setdefault
        return [reading for reading in readings if first(reading.source, broker) == broker]

    def keep(self, known: Callable[[Source, str], bool]) -> None:
        """Let go of the devices that are not known, each asked with its broker: they are whose they come from next."""
        self._broker = {source: broker for source, broker in self._broker.items() if known(source, broker)}

    def snapshot(self) -> bytes:
        """What was learned."""
        return orjson.dumps([[site, device, broker] for (site, device), broker in self._broker.items()])

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for anything else."""
        try:
            self._broker = {(str(site), str(device)): str(broker) for site, device, broker in orjson.loads(snapshot)}
        except (TypeError, ValueError) as error:
            raise DataError(f"the brokers of devices cannot be read: {error}") from None


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """One broker's say in whose devices are whose."""

    origins: Origins
    broker: str

    def ours(self, readings: Sequence[Reading]) -> list[Reading]:
        """The readings of devices that are not another broker's."""
        return self.origins.ours(self.broker, readings)

    def take(self, readings: Sequence[Reading]) -> None:
        """The devices of these are this broker's from now on."""
        self.origins.own(self.broker, readings)
