"""configs/detector.toml is the reference: it is valid, knows every key, and its commented lines hold the defaults."""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from anomgan.adapters.files import read_config
from anomgan.config import (
    AdaptConfig,
    AlarmsConfig,
    BrokerConfig,
    ControlConfig,
    DashboardConfig,
    DecideConfig,
    FleetConfig,
    HomeAssistantConfig,
    InfluxConfig,
    InputConfig,
    LearnConfig,
    MonitorConfig,
    NotifyConfig,
    PublishConfig,
    QualityConfig,
    ServiceConfig,
    SqliteConfig,
    parse_config,
)

REFERENCE = Path(__file__).parents[1] / "configs" / "detector.toml"
NO_FIXED_DEFAULT = {"alarms_per_week", "close_after", "silent_after_s", "quality", "window", "steps", "retrain_h"}
"""their default is None; the file shows what that usually comes to"""


def everything() -> dict[str, Any]:
    """The file with every commented key and table put in force."""
    text = REFERENCE.read_text(encoding="utf-8")
    tables = r"\[store\.influx\]|\[\[brokers\]\]|\[fleets\.quality\]"
    return tomllib.loads(re.sub(rf"(?m)^# (?={tables}|[a-z_]+ = )", "", text))


def tables(document: dict[str, Any]) -> dict[type[BaseModel], dict[str, Any]]:
    return {
        BrokerConfig: document["broker"],
        FleetConfig: document["fleets"][0],
        LearnConfig: document["fleets"][0]["learn"],
        InputConfig: document["input"],
        QualityConfig: document["quality"],
        DecideConfig: document["decide"],
        AdaptConfig: document["adapt"],
        AlarmsConfig: document["alarms"],
        ControlConfig: document["control"],
        SqliteConfig: document["store"]["sqlite"],
        InfluxConfig: document["store"]["influx"],
        PublishConfig: document["publish"],
        HomeAssistantConfig: document["homeassistant"],
        NotifyConfig: document["notify"],
        MonitorConfig: document["monitor"],
        DashboardConfig: document["dashboard"],
    }


def test_the_file_is_valid_as_it_stands_and_with_everything_in_force() -> None:
    read_config(REFERENCE, ServiceConfig)
    whole = parse_config(ServiceConfig, everything(), REFERENCE.name)
    assert [broker.name for broker in whole.brokers] == ["north"]


def test_every_key_stands_in_the_file() -> None:
    for model, table in tables(everything()).items():
        # one way to give a secret is a line, the other stands in its comment
        named = {name for name in model.model_fields if not name.endswith("_file") or name in table}
        assert set(table) == named, model.__name__
        assert all(name in REFERENCE.read_text(encoding="utf-8") for name in model.model_fields), model.__name__


def test_what_is_commented_out_is_the_default() -> None:
    in_force = tomllib.loads(REFERENCE.read_text(encoding="utf-8"))
    set_there = {"model", "topic", "path", "learn", *in_force["broker"]}
    for model, table in tables(everything()).items():
        for name, value in table.items():
            if name not in set_there | NO_FIXED_DEFAULT:
                default = model.model_fields[name].get_default(call_default_factory=True)
                assert (list(default) if isinstance(default, tuple) else default) == value, f"{model.__name__}.{name}"
