"""What `anomgan simulate` is to do: the tables of a scenario file, and the options that stand above them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomgan.config import BrokerConfig
    from anomgan.simulate import OpenModel, Scenario, ScenarioConfig
    from anomgan.simulate.learned_kind import Model

Changes = Mapping[str, Mapping[str, Any]]
"""table -> key -> what the command line says, None where it says nothing"""
COMMAND = "anomgan simulate"


def load_tables(path: Path, changes: Changes) -> "ScenarioConfig":
    """The tables of the file with the options that were given laid over them."""
    from anomgan.adapters.files import read_config
    from anomgan.config import BrokerConfig, parse_config
    from anomgan.simulate import ScenarioConfig

    tables = read_config(path, ScenarioConfig)
    update: dict[str, Any] = {
        name: getattr(tables, name).model_copy(update=given(table)) for name, table in changes.items()
    }
    if broker := given(changes.get("broker", {})):  # which has to be right as a whole: a certificate wants TLS
        document = tables.broker.model_dump(exclude_unset=True)
        update["broker"] = parse_config(BrokerConfig, document | broker, f"{path} with the options given: broker")
    return tables.model_copy(update=update)


def models_beside(path: Path) -> "OpenModel":
    """What opens the models that a scenario file names, relative to its folder; each once."""
    from anomgan.errors import ConfigError

    @cache
    def opened(model: str) -> "Model":
        try:
            from anomgan.synthesis.simulated import open_model
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise ConfigError("its devices need PyTorch, which is not installed here") from None
        return open_model(str(path.parent / model))

    return opened


def given(table: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {key: value for key, value in table.items() if value is not None}


def check_output(scenario: "Scenario", where: str) -> None:
    """ConfigError where readings or the truth of the devices cannot be told as `[output]` says."""
    from anomgan.errors import ConfigError, DataError, PayloadError
    from anomgan.records import Reading
    from anomgan_simulator.play import encoder_of, truth_topic

    output = scenario.config.output
    examples = [
        Reading(group.names[0], scenario.start_s, dict.fromkeys(group.kind.names, 0.0), group.site)
        for group in scenario.groups
    ]
    key = "output"
    try:
        encoder_of(output).encode(examples)
        key = "output.truth"
        if "{channel}" in output.truth:
            raise ConfigError("a fault is no channel's: {channel} has no place in it")
        for example in examples:
            truth_topic(example.site, example.device, output)
    except (ConfigError, DataError, PayloadError) as error:
        raise ConfigError(f"{where}: {key}: {error}") from None


def broker_and_speed(path: Path | None, changes: Changes) -> "tuple[BrokerConfig, float]":
    """Where to publish and how fast: as the file says where there is one, and the options above it."""
    from anomgan.config import BrokerConfig, parse_config
    from anomgan.simulate.scenario import ClockConfig

    if path is not None:
        tables = load_tables(path, changes)
        return tables.broker, tables.clock.speed
    broker = parse_config(BrokerConfig, given(changes["broker"]), COMMAND)
    return broker, ClockConfig(**given(changes["clock"])).speed
