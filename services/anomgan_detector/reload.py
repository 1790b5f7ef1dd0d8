"""Which settings may change while the service runs; all others take effect at its next start."""

import re
from collections.abc import Iterator
from typing import Any

from anomgan.config import ServiceConfig
from anomgan.errors import ConfigError

CHANGEABLE = re.compile(
    r"fleets\.\d+\.(alarms_per_week|devices|learn\..+)"
    r"|decide\..+"
    r"|input\.(batch|flush_s|max_payload_bytes|max_future_s|ignore_retained|forget_days|most_devices)"
    r"|publish\.events"
)


def require_changeable(before: ServiceConfig, after: ServiceConfig, where: str) -> None:
    """ConfigError that names what cannot change while the service runs; then nothing of the file is taken up."""
    fixed = [path for path in differing(before.model_dump(), after.model_dump()) if not CHANGEABLE.fullmatch(path)]
    if bool(before.publish.events) != bool(after.publish.events):
        fixed.append("publish.events (from or to nothing)")
    if fixed:
        raise ConfigError(f"{where}: {', '.join(fixed)} cannot change while the service runs; restart it for that")


def differing(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The paths of the values that differ between two documents of tables and arrays of tables."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            yield from differing(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif _tables(before) and _tables(after) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from differing(*pair, f"{path}.{number}")
    elif before != after:
        yield path


def _tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, dict) for one in value)
