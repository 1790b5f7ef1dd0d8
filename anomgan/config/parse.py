"""A document checked against a model, and what is wrong with it in the words of the TOML file."""

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from anomgan.errors import ConfigError
from anomgan.shown import one_line

LONGEST_SHOWN = 200
Model = TypeVar("Model", bound=BaseModel)


def parse_config(model: type[Model], document: Mapping[str, Any], where: str) -> Model:
    """Check a parsed document against a model; ConfigError names `where`, the table, the key and the nearest key."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = error.errors()
        lines = [
            _explain(model, item["type"], item["loc"], item["msg"], item.get("input"))
            for item in found
            if not (item["type"] == "too_short" and any(_inside(other["loc"], item["loc"]) for other in found))
        ]
        raise ConfigError("\n".join(f"{where}: {line}" for line in lines)) from None


def _inside(loc: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    """Whether an error lies within another's value: an array whose only entry is wrong is not also too short."""
    return len(loc) > len(outer) and loc[: len(outer)] == outer


_IN_TOML = {
    "missing": "this key is required",
    "tuple_type": "expected an array",
    "model_type": "expected a table",
    "dict_type": "expected a table",
    "too_short": "at least one entry is needed",
}


def _explain(model: type[BaseModel], kind: str, loc: tuple[int | str, ...], message: str, given: object) -> str:
    """One validation error in the words of the TOML file."""
    path = ".".join(one_line(str(part), LONGEST_SHOWN) for part in loc)
    if kind == "extra_forbidden":
        key, known = str(loc[-1]), _keys_at(model, loc[:-1])
        if key in ("password", "token", "secret"):
            return f"{path}: secrets do not belong in a configuration file; use {key}_env or {key}_file"
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"{path}: unknown key; {hint}"
    shown = "" if isinstance(given, Mapping | list | tuple) else f" (got {_written(given)})"
    said = _IN_TOML.get(kind, message.removeprefix("Value error, ")) + shown
    return f"{path}: {said}" if path else said  # what is wrong with the whole names its keys itself


def _written(value: object) -> str:
    """A value as it may be shown; Python writes no whole number of thousands of digits."""
    huge = type(value) is int and abs(value) >= 10**100
    return "a number of more than a hundred digits" if huge else one_line(repr(value), LONGEST_SHOWN)


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys allowed in the table that `loc` leads to."""
    for part in loc:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        annotation = model.model_fields[part].annotation
        inner = next((a for a in (annotation, *_arguments(annotation)) if _is_model(a)), None)
        if inner is None:
            break
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _arguments(annotation: Any) -> tuple[Any, ...]:
    return tuple(getattr(annotation, "__args__", ()))


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
