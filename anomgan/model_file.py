"""The model file: safetensors bytes with a JSON header, versioned, checked on reading. Pure: bytes in, bytes out.

The tensors are plain arrays; the header is JSON text in safetensors' metadata under "anomgan". Nothing in a file is
ever executed. `FORMAT` rises when older programs could not read the file rightly. Files of format 3 lack the limits of
the channels, and up to format 4 the networks had no bodies; all else is read from them as it was.
"""

import json
import math
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from anomgan.calibrate import Tail
from anomgan.config import DetectorConfig
from anomgan.errors import DataError, ModelFileError
from anomgan.fit import MAX_CHANNELS, Fitted, window_rule
from anomgan.gan.networks import Discriminator, Encoder, Generator, Networks
from anomgan.gan.shape import Shape
from anomgan.gaussian import Gaussian
from anomgan.quality.limits import Limits, limits_from_json, limits_to_json, no_limits
from anomgan.scaling import Scaler
from anomgan.score import WITNESSES, space_sizes

FORMAT, WITHOUT_BODIES, WITHOUT_LIMITS = 5, 4, 3
DIGEST = "digest"
NETWORKS = ("generator", "encoder", "discriminator")
TAILS = (*WITNESSES, "fused")


def pack(fitted: Fitted) -> bytes:
    """A detector as bytes."""
    scaler = fitted.scaler
    tensors: dict[str, torch.Tensor] = {
        "scaler.centre": torch.from_numpy(scaler.centre),
        "scaler.spread": torch.from_numpy(scaler.spread),
        "scaler.constant": torch.from_numpy(scaler.constant),
        "measured": torch.from_numpy(fitted.measured),
    }
    for name, normal in fitted.normal.items():
        tensors |= {f"normal.{name}.{key}": getattr(normal, key) for key in Gaussian.__slots__}
    for name in NETWORKS:
        network = getattr(fitted.networks, name)
        tensors |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
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
    whole = {key: value.contiguous() for key, value in tensors.items()}
    return save(whole, {"anomgan": json.dumps(header | {DIGEST: digest_of(header, whole)})})


def digest_of(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 of all that a file says, so that damage is not taken for weights. It keeps out nobody who wants in."""
    said = {key: value for key, value in header.items() if key != DIGEST}
    digest = sha256(json.dumps(said, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def read_header(data: bytes, where: str) -> dict[str, Any]:
    """The JSON header alone; ModelFileError names `where` and what is wrong."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise ModelFileError(f"{where}: truncated, or not an anomgan model file")
    try:
        header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["anomgan"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ModelFileError(f"{where}: not an anomgan model file") from None
    if not isinstance(header, dict) or not isinstance(header.get("format"), int) or header["format"] < 1:
        raise ModelFileError(f"{where}: not an anomgan model file")
    if not WITHOUT_LIMITS <= header["format"] <= FORMAT:
        age = "a newer" if header["format"] > FORMAT else "an older"
        raise ModelFileError(
            f"{where}: written by {age} anomgan ({header.get('library_version', '?')}, format {header['format']}); "
            f"this one reads formats {WITHOUT_LIMITS} to {FORMAT}: update it, or train the model anew"
        )
    return header


def unpack(data: bytes, where: str) -> Fitted:
    """The inverse of `pack`; ModelFileError for a truncated, foreign, newer or inconsistent file."""
    header = read_header(data, where)
    try:
        tensors = load(data)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{where}: truncated or damaged: {_first_line(error)}") from None
    if header.get(DIGEST, "") not in ("", digest_of(header, tensors)):  # files of 0.1.0 have none
        raise ModelFileError(f"{where}: damaged: its content is not what was written")
    try:
        return _assemble(header, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError, ValidationError, DataError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else _first_line(error)
        raise ModelFileError(f"{where}: the parts of this model file do not fit together: {reason}") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _assemble(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Fitted:
    config = DetectorConfig.model_validate(header["config"])
    rule = window_rule(config)
    channels, units = _texts(header, "channels"), _texts(header, "units")
    if not 1 <= len(channels) <= MAX_CHANNELS or len(set(channels)) < len(channels) or len(units) != len(channels):
        raise ValueError(f"{len(set(channels))} different channels of {len(channels)}, with {len(units)} units")
    width = (len(channels),)
    measured = _take(tensors, "measured", width, torch.bool).numpy()
    if not measured.any():
        raise ValueError("no channel is measured")
    shape = Shape(int(measured.sum()), rule.window, config.latent, config.width, statistics=config.minibatch_statistics)

    # Sizes are compared before anything is made: a header that lies cannot ask for memory.
    with torch.device("meta"):
        networks = Networks(
            shape,
            Generator(shape, config.architecture),
            Encoder(shape, config.architecture),
            Discriminator(shape, config.architecture, normalised=False),
        )

    def stored(key: str) -> str:
        return key.removeprefix("body.") if header["format"] <= WITHOUT_BODIES else key

    for name in NETWORKS:
        network = getattr(networks, name)
        blank = network.state_dict()
        network.load_state_dict(
            {key: _take(tensors, f"{name}.{stored(key)}", tuple(value.shape)) for key, value in blank.items()},
            assign=True,
        )
        network.eval().requires_grad_(False)
    _take(tensors, "generator.reach", (shape.channels, 1), positive=True)
    normal = {space: _gaussian(f"normal.{space}", size, tensors) for space, size in space_sizes(shape).items()}
    scaler = Scaler(
        _take(tensors, "scaler.centre", width, torch.float64, unseen=True).numpy(),
        _take(tensors, "scaler.spread", width, torch.float64, positive=True).numpy(),
        _take(tensors, "scaler.constant", width, torch.bool).numpy(),
    )
    tails = {name: _tail(name, header["calibration"][name], tensors) for name in TAILS}
    weights = {name: _number(header["weights"][name], f"weight of {name}") for name in WITNESSES}
    alarm_share = _number(header["alarm_share"], "alarm_share", positive=True)
    summary = {**header["summary"], "library_version": header["library_version"]}
    period_s = _number(header["period_s"], "period_s", positive=True)
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


def _gaussian(name: str, size: int, tensors: dict[str, torch.Tensor]) -> Gaussian:
    """One space's idea of normal."""
    own = len(tensors[f"{name}.variances"])
    return Gaussian(
        _take(tensors, f"{name}.mean", (size,)),
        _take(tensors, f"{name}.directions", (size, own)),
        _take(tensors, f"{name}.variances", (own,), positive=True),
        _take(tensors, f"{name}.rest", (), positive=True),
    )


def _take(
    tensors: dict[str, torch.Tensor],
    name: str,
    size: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
    *,
    positive: bool = False,
    unseen: bool = False,
) -> torch.Tensor:
    """The tensor of that name; ValueError where it is not what scoring relies on. Only an `unseen` one may have NaN."""
    tensor = tensors[name]
    if tensor.dtype != dtype or tuple(tensor.shape) != size or tensor.numel() == 0:
        raise ValueError(f"{name} is {tensor.dtype} {tuple(tensor.shape)}, not {dtype} {size}")
    finite = torch.isfinite(tensor) | (tensor.isnan() if unseen else False)
    if not bool(finite.all()) or (positive and not bool((tensor > 0).all())):
        raise ValueError(f"{name} is not {'positive' if positive else 'finite'}")
    return tensor


def _tail(name: str, numbers: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Tail:
    """One witness's calibration; its body rises."""
    knots = (len(tensors[f"tail.{name}.body"]),)
    body = _take(tensors, f"tail.{name}.body", knots, torch.float64).numpy()
    log_survival = _take(tensors, f"tail.{name}.log_survival", knots, torch.float64).numpy()
    if not np.all(np.diff(body) > 0) or not np.all(log_survival <= 0):
        raise ValueError(f"tail.{name} is not a survival function")
    scale = _number(numbers["scale"], f"calibration.{name}.scale", positive=True)
    shape = _number(numbers["shape"], f"calibration.{name}.shape", signed=True)
    reach = _number(numbers["reach"], f"calibration.{name}.reach", positive=True)
    if scale + shape * reach <= 0.0:
        raise ValueError(f"calibration.{name} ends before its reach")
    return Tail(body, log_survival, scale, shape, reach)


def _number(given: object, name: str, *, positive: bool = False, signed: bool = False) -> float:
    """A finite number, not negative unless it may be `signed`."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"{name} is no number")
    number = float(given)
    if not math.isfinite(number) or (number < 0 and not signed) or (positive and number == 0):
        raise ValueError(f"{name} is {number}")
    return number


def _texts(header: dict[str, Any], key: str) -> tuple[str, ...]:
    given = header[key]
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise ValueError(f"{key} is not a list of texts")
    return tuple(given)
