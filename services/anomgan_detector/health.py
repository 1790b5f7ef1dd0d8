"""Data quality in the service: which rules a fleet is watched by, and how a device's health is told."""

from collections.abc import Iterable, Sequence

from anomgan.adapters.ports import Letter
from anomgan.config import FleetConfig, QualityConfig
from anomgan.errors import ConfigError, DataError
from anomgan.quality import Limits, QualityWatch
from anomgan.records import DeviceHealth, Source
from anomgan.wire.event_json import event_topic, topic_of_device
from anomgan.wire.health_json import encode_health


def watch_over(limits: Limits, config: FleetConfig, shared: QualityConfig, model: str) -> QualityWatch:
    """What watches a fleet: by its own `[fleets.quality]`, else by what `[quality]` says of its channels.

    Raises ConfigError where its own table names channels that its model does not have.
    """
    if config.quality is None:
        return QualityWatch(limits, _of(shared, limits.channels), model)
    try:
        return QualityWatch(limits, config.quality, model)
    except DataError as error:
        raise ConfigError(f"fleets.quality, model {config.model}: {error}") from None


def _of(shared: QualityConfig, channels: Sequence[str]) -> QualityConfig:
    """The part that is about these channels."""
    return shared.model_copy(
        update={
            "ranges": {name: bounds for name, bounds in shared.ranges.items() if name in channels},
            "may_stand_still": tuple(name for name in shared.may_stand_still if name in channels),
            "leave_alone": tuple(name for name in shared.leave_alone if name in channels),
        }
    )


def require_known(shared: QualityConfig, channels: Iterable[str]) -> None:
    """ConfigError where `[quality]` names a channel that no fleet has."""
    known = set(channels)
    for key in ("ranges", "may_stand_still", "leave_alone"):
        for name in getattr(shared, key):
            if name not in known:
                raise ConfigError(f"quality.{key}: no fleet has a channel {name!r}; there are {sorted(known)}")


def health_letters(news: Iterable[DeviceHealth], template: str, to: str) -> list[Letter]:
    """The retained messages to an addressee that tell how devices are now; none where the topic is empty."""
    if not template:
        return []
    return [Letter(to, encode_health(health), event_topic(template, health), retain=True) for health in news]


def cleared_letters(gone: Iterable[Source], template: str, to: str) -> list[Letter]:
    """The empty retained messages to an addressee that take back what was told of devices that are forgotten."""
    return [Letter(to, b"", topic_of_device(template, source), retain=True) for source in gone if template]
