"""What happens between a device and the broker: delays, losses, outages, wrong clocks; functions of seed and row."""

from anomgan.simulate.network.incidents import INCIDENTS, Incident
from anomgan.simulate.network.plan import NetworkPlan, Run, plan_network
from anomgan.simulate.network.stage import Counts, Delivery, Network, State, Switch, Told
from anomgan.simulate.network.tables import IncidentConfig, LinkConfig, NetworkConfig

__all__ = [
    "INCIDENTS",
    "Counts",
    "Delivery",
    "Incident",
    "IncidentConfig",
    "LinkConfig",
    "Network",
    "NetworkConfig",
    "NetworkPlan",
    "Run",
    "State",
    "Switch",
    "Told",
    "plan_network",
]
