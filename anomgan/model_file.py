"""A detector's model file: a sealed file (`sealed_file`), versioned, checked on reading. Pure: bytes in, bytes out.

`FORMAT` rises when older programs could not read the file rightly. Files of format 3 lack the limits of
the channels, and up to format 4 the networks had no bodies; all else is read from them as it was.
"""

from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from anomgan.calibrate import Tail
from anomgan.config import DetectorConfig
from anomgan.errors import ModelFileError
from anomgan.fit import Fitted, window_rule
from anomgan.gan.shape import Shape
from anomgan.gaussian import Gaussian
from anomgan.quality.limits import Limits, limits_from_json, limits_to_json, no_limits
from anomgan.scaling import Scaler
from anomgan.score import WITNESSES, space_sizes
from anomgan.sealed_file import (
    DETECTOR,
    Tensors,
    network_tensors,
    number,
    open_sealed,
    seal,
    sealed_header,
    take,
    take_channels,
    take_networks,
)

FORMAT, WITHOUT_BODIES, WITHOUT_LIMITS = 5, 4, 3
TAILS = (*WITNESSES, "fused")


def pack(fitted: Fitted) -> bytes:
    """A detector as bytes."""
    scaler = fitted.scaler
    tensors: Tensors = {
        "scaler.centre": torch.from_numpy(scaler.centre),
        "scaler.spread": torch.from_numpy(scaler.spread),
        "scaler.constant": torch.from_numpy(scaler.constant),
        "measured": torch.from_numpy(fitted.measured),
    }
    for name, normal in fitted.normal.items():
        tensors |= {f"normal.{name}.{key}": getattr(normal, key) for key in Gaussian.__slots__}
    tensors |= network_tensors(fitted.networks)
    for name, tail in fitted.tails.items():
        tensors[f"tail.{name}.body"] = torch.from_numpy(tail.body)
        tensors[f"tail.{name}.log_survival"] = torch.from_numpy(tail.log_survival)
    header = {
        "format": FORMAT,
        "library_version": version("anomgan"),
        "config": fitted.config.model_dump(),
        "channels": fitted.channels,
        "units": fitted.units,
        "period_s": fitted.period_s,
        "calibration": {
            name: {"scale": tail.scale, "shape": tail.shape, "reach": tail.reach} for name, tail in fitted.tails.items()
        },
        "weights": fitted.weights,
        "alarm_share": fitted.alarm_share,
        "summary": fitted.summary,
        "limits": limits_to_json(fitted.limits),
    }
    return seal(header, tensors)


def read_header(data: bytes, where: str) -> dict[str, Any]:
    """The JSON header alone; ModelFileError names `where` and what is wrong."""
    header = sealed_header(data, where)
    if header.get("kind", DETECTOR) != DETECTOR:
        raise ModelFileError(f"{where}: a {header['kind']}'s file, where a detector's is wanted")
    if not WITHOUT_LIMITS <= header["format"] <= FORMAT:
        age = "a newer" if header["format"] > FORMAT else "an older"
        raise ModelFileError(
            f"{where}: written by {age} anomgan ({header.get('library_version', '?')}, format {header['format']}); "
            f"this one reads formats {WITHOUT_LIMITS} to {FORMAT}: update it, or train the model anew"
        )
    return header


def unpack(data: bytes, where: str) -> Fitted:
    """The inverse of `pack`; ModelFileError for a truncated, foreign, newer or inconsistent file."""
    return open_sealed(data, where, read_header(data, where), _assemble)


def _assemble(header: dict[str, Any], tensors: Tensors) -> Fitted:
    config = DetectorConfig.model_validate(header["config"])
    rule = window_rule(config)
    channels, units = take_channels(header)
    width = (len(channels),)
    measured = take(tensors, "measured", width, torch.bool).numpy()
    if not measured.any():
        raise ValueError("no channel is measured")
    shape = Shape(int(measured.sum()), rule.window, config.latent, config.width, statistics=config.minibatch_statistics)

    def stored(key: str) -> str:
        return key.removeprefix("body.") if header["format"] <= WITHOUT_BODIES else key

    networks = take_networks(shape, config.architecture, tensors, stored)
    normal = {space: _gaussian(f"normal.{space}", size, tensors) for space, size in space_sizes(shape).items()}
    scaler = Scaler(
        take(tensors, "scaler.centre", width, torch.float64, unseen=True).numpy(),
        take(tensors, "scaler.spread", width, torch.float64, positive=True).numpy(),
        take(tensors, "scaler.constant", width, torch.bool).numpy(),
    )
    tails = {name: _tail(name, header["calibration"][name], tensors) for name in TAILS}
    weights = {name: number(header["weights"][name], f"weight of {name}") for name in WITNESSES}
    alarm_share = number(header["alarm_share"], "alarm_share", positive=True)
    summary = {**header["summary"], "library_version": header["library_version"]}
    period_s = number(header["period_s"], "period_s", positive=True)
    limits = _limits(header, channels, units, period_s)
    return Fitted(
        config,
        channels,
        units,
        period_s,
        measured,
        scaler,
        networks,
        normal,
        tails,
        weights,
        alarm_share,
        summary,
        limits,
    )


def _limits(header: dict[str, Any], channels: tuple[str, ...], units: tuple[str, ...], period_s: float) -> Limits:
    """The limits of these channels."""
    if header["format"] == WITHOUT_LIMITS:
        return no_limits(channels, units, period_s)
    limits = limits_from_json(header["limits"])
    if (limits.channels, limits.units, limits.period_s) != (channels, units, period_s):
        raise ValueError("the limits are of other channels")
    return limits


def _gaussian(name: str, size: int, tensors: Tensors) -> Gaussian:
    """One space's idea of normal."""
    own = len(tensors[f"{name}.variances"])
    return Gaussian(
        take(tensors, f"{name}.mean", (size,)),
        take(tensors, f"{name}.directions", (size, own)),
        take(tensors, f"{name}.variances", (own,), positive=True),
        take(tensors, f"{name}.rest", (), positive=True),
    )


def _tail(name: str, numbers: dict[str, Any], tensors: Tensors) -> Tail:
    """One witness's calibration; its body rises."""
    knots = (len(tensors[f"tail.{name}.body"]),)
    body = take(tensors, f"tail.{name}.body", knots, torch.float64).numpy()
    log_survival = take(tensors, f"tail.{name}.log_survival", knots, torch.float64).numpy()
    if not np.all(np.diff(body) > 0) or not np.all(log_survival <= 0):
        raise ValueError(f"tail.{name} is not a survival function")
    scale = number(numbers["scale"], f"calibration.{name}.scale", positive=True)
    shape = number(numbers["shape"], f"calibration.{name}.shape", signed=True)
    reach = number(numbers["reach"], f"calibration.{name}.reach", positive=True)
    if scale + shape * reach <= 0.0:
        raise ValueError(f"calibration.{name} ends before its reach")
    return Tail(body, log_survival, scale, shape, reach)
