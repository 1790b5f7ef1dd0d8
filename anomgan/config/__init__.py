"""One model per table of the TOML file. Unknown keys are errors that name the nearest key.

Secrets never stand in a file: `password_env` / `token_env` name an environment variable and
`password_file` / `token_file` a file; a clear-text `password` or `token` is refused.
"""

from anomgan.config.detection import DecideConfig, DetectorConfig, DeviceName, LossName
from anomgan.config.learning import LearnConfig
from anomgan.config.parse import Model, parse_config
from anomgan.config.service import (
    BrokerConfig,
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
from anomgan.config.table import Table

__all__ = [
    "BrokerConfig",
    "DashboardConfig",
    "DecideConfig",
    "DetectorConfig",
    "DeviceName",
    "DialectName",
    "FleetConfig",
    "InfluxConfig",
    "InputConfig",
    "JournalConfig",
    "LearnConfig",
    "LossName",
    "Model",
    "PublishConfig",
    "ServiceConfig",
    "SqliteConfig",
    "StoreConfig",
    "Table",
    "TimeUnit",
    "parse_config",
]
