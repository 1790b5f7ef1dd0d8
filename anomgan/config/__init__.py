"""One model per table of the TOML file. Unknown keys are errors that name the nearest key.

Secrets never stand in a file: `password_env` / `token_env` name an environment variable and
`password_file` / `token_file` a file; a clear-text `password` or `token` is refused.
"""

from anomgan.config.adapt import MOST_DECADES, AdaptConfig
from anomgan.config.alarms import AlarmsConfig
from anomgan.config.broker import BrokerConfig, NamedBrokerConfig, broker_name, broker_table
from anomgan.config.control import ControlConfig
from anomgan.config.detection import DecideConfig, DetectorConfig
from anomgan.config.game import ArchitectureName, DeviceName, GameConfig, LossName
from anomgan.config.learning import LearnConfig
from anomgan.config.parse import Model, parse_config
from anomgan.config.quality import QualityConfig
from anomgan.config.service import (
    DashboardConfig,
    DialectName,
    FleetConfig,
    InfluxConfig,
    InputConfig,
    JournalConfig,
    PublishConfig,
    ServiceConfig,
    SqliteConfig,
    StoreConfig,
    TimeUnit,
)
from anomgan.config.synthesis import SynthesizerConfig
from anomgan.config.table import Table
from anomgan.config.telling import HomeAssistantConfig, MonitorConfig, NotifyConfig

__all__ = [
    "MOST_DECADES",
    "AdaptConfig",
    "AlarmsConfig",
    "ArchitectureName",
    "BrokerConfig",
    "ControlConfig",
    "DashboardConfig",
    "DecideConfig",
    "DetectorConfig",
    "DeviceName",
    "DialectName",
    "FleetConfig",
    "GameConfig",
    "HomeAssistantConfig",
    "InfluxConfig",
    "InputConfig",
    "JournalConfig",
    "LearnConfig",
    "LossName",
    "Model",
    "MonitorConfig",
    "NamedBrokerConfig",
    "NotifyConfig",
    "PublishConfig",
    "QualityConfig",
    "ServiceConfig",
    "SqliteConfig",
    "StoreConfig",
    "SynthesizerConfig",
    "Table",
    "TimeUnit",
    "broker_name",
    "broker_table",
    "parse_config",
]
