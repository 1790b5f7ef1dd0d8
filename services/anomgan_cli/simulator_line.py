"""From the scenario of a running simulator to a line to it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anomgan.adapters.mqtt_line import MqttLine


def simulator_line(scenario: str) -> "MqttLine | None":
    """The line by the scenario's [broker] and [control]; None for no scenario. ConfigError for a wrong one."""
    if not scenario:
        return None
    from anomgan.adapters.files import read_config
    from anomgan.adapters.mqtt_line import MqttLine
    from anomgan.simulate import ScenarioConfig
    from anomgan_simulator.control import taken

    tables = read_config(Path(scenario), ScenarioConfig)
    return MqttLine(tables.broker, taken(tables.control), "the simulator", client="dashboard")
