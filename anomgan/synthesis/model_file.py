"""A synthesizer as bytes and back: a sealed file of its own kind."""

import json
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import torch

from anomgan.config import SynthesizerConfig
from anomgan.errors import ModelFileError
from anomgan.gan.shape import Shape
from anomgan.sealed_file import (
    SYNTHESIZER,
    Tensors,
    network_tensors,
    number,
    open_sealed,
    seal,
    sealed_header,
    take,
    take_channels,
    take_networks,
    texts,
)
from anomgan.synthesis.carry import FAR, Carry
from anomgan.synthesis.conditions import Condition
from anomgan.synthesis.fit import Learned
from anomgan.synthesis.marginals import MOST_DECIMALS, Marginal

FORMAT = 2
MOST_CONDITIONS = 10_000
LONGEST_PERIOD_S = 1e12
"""so that times stay numbers"""
LOOKS, MOST_EPSILON = 3, 100


def pack(learned: Learned) -> bytes:
    """A synthesizer as bytes."""
    tensors = network_tensors(learned.networks)
    tensors |= {f"carry.{key}": getattr(learned.carry, key) for key in Carry.__slots__}
    for name, one in zip(learned.channels, learned.marginals, strict=True):
        tensors[f"marginal.{name}.scores"] = torch.from_numpy(one.scores)
        tensors[f"marginal.{name}.values"] = torch.from_numpy(one.values)
    header = {
        "kind": SYNTHESIZER,
        "format": FORMAT,
        "library_version": version("anomgan"),
        "config": learned.config.model_dump(),
        "channels": learned.channels,
        "units": learned.units,
        "period_s": learned.period_s,
        "conditions": [asdict(one) for one in learned.conditions],
        "marginals": [{"spread": one.spread, "decimals": one.decimals} for one in learned.marginals],
        "scales": learned.networks.shape.scales,
        "summary": learned.summary,
    }
    return seal(header, tensors)


def unpack(data: bytes, where: str) -> Learned:
    """The inverse of `pack`; ModelFileError for a truncated, foreign, newer or inconsistent file."""
    header = sealed_header(data, where)
    if header.get("kind") != SYNTHESIZER:
        raise ModelFileError(
            f"{where}: a detector's file, where a synthesizer's is wanted (`anomgan train --synthesizer`)"
        )
    if header["format"] != FORMAT:
        raise ModelFileError(
            f"{where}: written by a newer anomgan ({header.get('library_version', '?')}, format {header['format']}); "
            f"this one reads format {FORMAT}: update it"
        )
    return open_sealed(data, where, header, _assemble)


def _assemble(header: dict[str, Any], tensors: Tensors) -> Learned:
    config = SynthesizerConfig.model_validate_json(json.dumps(header["config"]))  # JSON's lists are its tuples
    channels, units = take_channels(header)
    conditions = tuple(_condition(one) for one in header["conditions"])
    if tuple(one.name for one in conditions) != config.conditions:
        raise ValueError("the conditions are not those of the configuration")
    scales = int(number(header["scales"], "scales", positive=True))
    size = sum(one.size for one in conditions) + (scales if scales > 1 else 0)
    if size > MOST_CONDITIONS or config.window is None or config.steps is None:
        raise ValueError("the configuration is not resolved")
    sizes = len(channels), config.window, config.latent, config.width, size
    shape = Shape(*sizes, hiding=True, scales=scales, statistics=config.minibatch_statistics)
    networks = take_networks(shape, config.architecture, tensors)
    wide = (len(channels), len(FAR) + 1)
    carry = Carry(
        take(tensors, "carry.memory", wide[:1]),
        take(tensors, "carry.share", wide[:1]),
        take(tensors, "carry.widening", wide, positive=True),
    )
    if not bool(((carry.memory >= 0) & (carry.memory <= 1)).all()):
        raise ValueError("carry.memory is not within 0 and 1")
    told = zip(channels, header["marginals"], strict=True)
    marginals = tuple(_marginal(name, numbers, tensors) for name, numbers in told)
    period_s = number(header["period_s"], "period_s", positive=True)
    if period_s > LONGEST_PERIOD_S:
        raise ValueError(f"period_s is {period_s}")
    summary = {**header["summary"], "library_version": header["library_version"]}
    if summary.get("privacy"):
        _check_promise(summary["privacy"])
    return Learned(config, channels, units, period_s, conditions, marginals, networks, carry, summary)


def _check_promise(told: dict[str, Any]) -> None:
    """ValueError or KeyError where it cannot be told what a private training promises."""
    for name in ("epsilon", "delta", "unit_rows", "unit_s", "units", "max_grad_norm"):
        number(told[name], f"privacy.{name}", positive=True)
    for look in told["looks"]:
        for name in ("noise_multiplier", "rate", "times"):
            number(look[name], f"privacy.looks.{name}")
    if len(told["looks"]) != LOOKS or told["epsilon"] > MOST_EPSILON:
        raise ValueError(f"an epsilon of {told['epsilon']} of {len(told['looks'])} looks")
    texts(told, "not_covered")


def _condition(given: dict[str, Any]) -> Condition:
    levels = tuple(given["levels"])
    name = given["name"]
    alike = all(isinstance(one, str) for one in levels) or all(
        isinstance(one, float) and not isinstance(one, bool) for one in levels
    )
    if not isinstance(name, str) or not alike:
        raise ValueError(f"condition {name} is damaged")
    return Condition(
        name,
        levels,
        number(given["centre"], f"centre of {name}", signed=True),
        number(given["spread"], f"spread of {name}", positive=True),
    )


def _marginal(name: str, numbers: dict[str, Any], tensors: Tensors) -> Marginal:
    """One channel's distribution: its scores and values do not fall."""
    knots = (len(tensors[f"marginal.{name}.scores"]),)
    scores = take(tensors, f"marginal.{name}.scores", knots, torch.float64).numpy()
    values = take(tensors, f"marginal.{name}.values", knots, torch.float64).numpy()
    decimals = numbers["decimals"]
    if (scores[1:] < scores[:-1]).any() or (values[1:] < values[:-1]).any():
        raise ValueError(f"marginal.{name} is not a distribution")
    if isinstance(decimals, bool) or not isinstance(decimals, int) or not -1 <= decimals <= MOST_DECIMALS:
        raise ValueError(f"marginal.{name} has {decimals} decimals")
    return Marginal(scores, values, number(numbers["spread"], f"spread of {name}", positive=True), decimals)
