"""The tables for those who are told: Home Assistant, people, and who watches the service itself."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from anomgan.config.table import Table, check_publishable

SeverityName = Literal["minor", "major", "critical"]
Occasion = Literal["open", "worse", "closed"]


class HomeAssistantConfig(Table):
    """`[homeassistant]`: every device appears there by itself, through MQTT discovery."""

    enabled: bool = False
    prefix: str = Field("homeassistant", min_length=1)
    """Home Assistant's discovery prefix"""
    topic: str = "anomgan/{site}/{device}"
    """below it lie each device's states: /problem, /score, /muted"""
    score_every_s: float = Field(60.0, gt=0)
    """a device's score is told at most so often"""
    mute_hours: float = Field(24.0, gt=0, le=8760)
    """for how long the switch mutes"""
    forget_days: float = Field(30.0, gt=0)
    """a device that is silent for so long is taken out of Home Assistant"""

    @field_validator("prefix", "topic")
    @classmethod
    def _can_be_published_to(cls, topic: str, info: ValidationInfo) -> str:
        check_publishable(topic, ("{site}", "{device}") if info.field_name == "topic" else ())
        return topic

    @field_validator("topic")
    @classmethod
    def _names_the_device(cls, topic: str) -> str:
        if "{device}" not in topic.split("/"):
            raise ValueError("it needs the level {device}, for every device has states of its own")
        return topic


class NotifyConfig(Table):
    """`[notify]`: who is told of events by mail, chat or webhook. Addresses hold secrets: they stand elsewhere."""

    urls_env: str = ""
    """the environment variable with addresses as Apprise reads them, one a line or separated by spaces"""
    urls_file: str = ""
    min_severity: SeverityName = "major"
    on: tuple[Occasion, ...] = Field(("open", "worse", "closed"), strict=False)
    per_hour: int = Field(10, ge=1, le=10_000)
    """events told singly in an hour; the rest are summed up in one message at its end"""


class MonitorConfig(Table):
    """`[monitor]`: who watches the service itself."""

    host: str = "127.0.0.1"
    port: int | None = Field(None, ge=0, le=65535)
    """of /metrics, /healthz and /readyz; None = no such server, 0 = a free one"""
    heartbeat: str = "anomgan/heartbeat"
    """topic; "" publishes none"""
    heartbeat_s: float = Field(30.0, ge=1.0)
    ping_url_env: str = ""
    """the environment variable with an address that is fetched with every heartbeat while all is well (a dead man's
    switch such as healthchecks)"""
    ping_url_file: str = ""
    silent_min: float = Field(15.0, gt=0)
    """complain when connected and without a message for so long"""
    away_min: float = Field(10.0, gt=0)
    """complain when the broker or a server that letters go to is away for so long"""
    journal_full: float = Field(0.8, gt=0, le=1)
    """complain when so much of the journal's limit is taken"""

    @field_validator("heartbeat")
    @classmethod
    def _can_be_published_to(cls, topic: str) -> str:
        check_publishable(topic)
        return topic
