"""Devices that fail on schedule: physics, sensors, faults and ground truth, all functions of a scenario and its seed.

scenario = parse_scenario(tomllib.loads(text), "plant.toml")
series = simulate(scenario, 0, 3000)      # one labelled TimeSeries per device
for tick in ticks(scenario, 3000):        # the rows after those, one at a time
    ...

Devices of `engine = "gan"` need `parse_scenario(..., open_model)`, such as that of `anomgan.synthesis.simulated`.
"""

from anomgan.simulate.faults import Fault
from anomgan.simulate.fleet import schedule, simulate
from anomgan.simulate.kinds import KINDS
from anomgan.simulate.learned_kind import LearnedKind, OpenModel
from anomgan.simulate.live import LivePlan, Wish
from anomgan.simulate.network import INCIDENTS, Network
from anomgan.simulate.scenario import Scenario, ScenarioConfig, check_scenario, parse_scenario
from anomgan.simulate.sensor_faults import SENSOR_FAULTS
from anomgan.simulate.ticks import Tick, ticks

__all__ = [
    "INCIDENTS",
    "KINDS",
    "SENSOR_FAULTS",
    "Fault",
    "LearnedKind",
    "LivePlan",
    "Network",
    "OpenModel",
    "Scenario",
    "ScenarioConfig",
    "Tick",
    "Wish",
    "check_scenario",
    "parse_scenario",
    "schedule",
    "simulate",
    "ticks",
]
