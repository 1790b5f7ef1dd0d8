"""docker/compose.yaml as Compose would read it: overrides merged, variables of .env put in, anchors followed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DOCKER = Path(__file__).parents[1] / "docker"
VARIABLE = re.compile(r"\$(?:\$|\{([A-Z0-9_]+)(?::(?:-([^}]*)|\?[^}]*))?\})")
APPENDED = {"ports", "volumes", "secrets", "tmpfs", "cap_drop", "security_opt"}
"""lists that an override adds to; of others it takes the place"""


class Override:
    """A value marked `!override`: it takes the place of what is there, whatever that is."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Loader(yaml.SafeLoader):
    """YAML with Compose's tag `!override`."""


def _override(loader: Loader, node: yaml.Node) -> Override:
    if isinstance(node, yaml.SequenceNode):
        return Override(loader.construct_sequence(node, deep=True))
    assert isinstance(node, yaml.MappingNode)
    return Override(loader.construct_mapping(node, deep=True))


Loader.add_constructor("!override", _override)


def read_env(path: Path = DOCKER / ".env.example") -> dict[str, str]:
    """The variables of an .env file, in which one may name others above it."""
    found: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found[name] = interpolated(value, found)
    return found


def filled_env() -> dict[str, str]:
    """.env as somebody leaves it who has followed the README."""
    return read_env() | {"TORCH_INDEX": "https://wheels.example/cpu"}


def read_compose(*names: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The files merged in their order, with variables put in."""
    whole: dict[str, Any] = {}
    for name in names or ("compose.yaml",):
        whole = merged(whole, yaml.load((DOCKER / name).read_text(), Loader))  # noqa: S506 a safe loader with one tag more
    found: dict[str, Any] = interpolated(plain(whole), filled_env() if env is None else env)
    return {key: value for key, value in found.items() if not key.startswith("x-")}


def merged(base: Any, more: Any, key: str = "") -> Any:
    """Compose's rule: tables are merged, some lists added to, everything else replaced."""
    if isinstance(more, Override):
        return more.value
    if isinstance(base, dict) and isinstance(more, dict):
        return base | {name: merged(base.get(name), value, name) for name, value in more.items()}
    if isinstance(base, list) and isinstance(more, list) and key in APPENDED:
        return base + more
    return more


def plain(value: Any) -> Any:
    """Without the marks of overrides that had nothing to replace."""
    if isinstance(value, Override):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def interpolated(value: Any, env: Mapping[str, str]) -> Any:
    """`${NAME}`, `${NAME:-default}` and `${NAME:?it must be there}` from the environment, `$$` as one dollar sign."""

    def put(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        known = env.get(found[1], "")
        assert known or found[2] is not None, f"{found[1]} is not in .env.example and has no default"
        return known or found[2]

    if isinstance(value, str):
        return VARIABLE.sub(put, value)
    if isinstance(value, dict):
        return {key: interpolated(one, env) for key, one in value.items()}
    return [interpolated(one, env) for one in value] if isinstance(value, list) else value
