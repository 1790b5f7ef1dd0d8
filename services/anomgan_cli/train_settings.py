"""What a training is set to: by options, and by `--set NAME=VALUE` where a setting has no option of its own."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from anomgan_cli.inputs import Command

OTHERWISE_CALLED = {"conditions": "--condition"}
"""options whose setting has another name"""


def parse_settings(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> dict[str, Any]:
    """`augmentation=0.3` -> {"augmentation": 0.3}: values as TOML has them, and text where they are none."""
    given: dict[str, Any] = {}
    for part in value:
        name, equals, text = (one.strip() for one in part.partition("="))
        if not equals or not name:
            raise click.BadParameter(f"{part!r} is not NAME=VALUE, such as augmentation=0.3")
        if name in given:
            raise click.BadParameter(f"{name} is given twice")
        given[name] = toml_value(text)
    return given


def toml_value(text: str) -> Any:
    """`true` -> True, `["a", "b"]` -> ("a", "b"), `wgan-gp` -> "wgan-gp"."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # ValueError also of a number with thousands of digits
        return text
    if document.keys() != {"value"}:  # lines of their own
        return text
    value = document["value"]
    return tuple(value) if isinstance(value, list) else value


def set_option(example: str) -> Callable[[Command], Command]:
    """--set; its help shows the example."""
    return click.option(
        "--set",
        "chosen",
        multiple=True,
        callback=parse_settings,
        metavar="NAME=VALUE",
        help=f"Any other setting of the training, such as {example}; may come again.",
    )


def all_settings(options: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say, None and nothing left out, and what --set does; UsageError where both say the same."""
    given = {name: value for name, value in options.items() if value is not None and value != ()}
    for name in chosen:
        if name in given:
            option = OTHERWISE_CALLED.get(name, f"--{name.replace('_', '-')}")
            raise click.UsageError(f"{name} is given twice, by {option} and by --set")
    return given | dict(chosen)
