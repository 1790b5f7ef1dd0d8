"""Who connects to the broker: the simulator itself and, where they have connections of their own, its devices."""

from anomgan.adapters.mqtt_client import Wish
from anomgan.adapters.mqtt_fleet import MqttFleet
from anomgan.records import Source
from anomgan.simulate import Network
from anomgan.simulate.network import Delivery, Switch


class Connections:
    """The devices' clients in a fleet of clients, after that of the simulator."""

    def __init__(self, fleet: MqttFleet, network: Network) -> None:
        self._fleet = fleet
        self._numbers: dict[Source, int] = {source: number for number, source in enumerate(network.plan.links, 1)}

    def publish(self, source: Source, delivery: Delivery) -> None:
        """Hand one message over in a device's name."""
        by = self._numbers[source]
        self._fleet.publish(delivery.topic, delivery.payload, qos=delivery.qos, retain=delivery.retain, by=by)

    def switch(self, switch: Switch) -> None:
        """End a device's connection, or make it again."""
        number = self._numbers[switch.source]
        if switch.up:
            self._fleet.join(number)
        else:
            self._fleet.leave(number, goodbye=switch.goodbye)


def clients(own_id: str, network: Network | None) -> tuple[list[Wish], frozenset[int]]:
    """The clients, the simulator's own first, and the numbers of those that are offline at the beginning."""
    wishes = [Wish(own_id)]
    if network is None or network.shared:
        return wishes, frozenset()
    plan, offline = network.plan, network.offline()
    persistent = plan.config.persistent
    wishes += [
        Wish(plan.client_id(source), persistent=persistent, status_topic=plan.status_topic(source))
        for source in plan.links
    ]
    return wishes, frozenset(number for number, source in enumerate(plan.links, 1) if source in offline)
