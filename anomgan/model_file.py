"""The model file: safetensors bytes with a JSON header, versioned, checked on reading. Pure: bytes in, bytes out.

The tensors are plain arrays; the header is JSON text in safetensors' metadata under "anomgan". Nothing in a file is
ever executed. `FORMAT` rises when older programs could not read the file rightly.
"""

import json
from importlib.metadata import version
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from anomgan.calibrate import Tail
from anomgan.config import DetectorConfig
from anomgan.errors import ModelFileError
from anomgan.fit import WITNESSES, Fitted
from anomgan.gan.networks import Discriminator, Encoder, Generator, Shape
from anomgan.gan.train import Networks
from anomgan.scaling import Scaler
from anomgan.score import Memory

FORMAT = 1
NETWORKS = ("generator", "encoder", "discriminator")
TAILS = (*WITNESSES, "fused")


def pack(fitted: Fitted) -> bytes:
    """A detector as bytes."""
    scaler, memory = fitted.scaler, fitted.memory
    tensors: dict[str, torch.Tensor] = {
        "scaler.centre": torch.from_numpy(scaler.centre),
        "scaler.spread": torch.from_numpy(scaler.spread),
        "scaler.constant": torch.from_numpy(scaler.constant),
        "memory.features": memory.features,
        "memory.centre": memory.centre,
        "memory.spread": memory.spread,
        "usual": fitted.usual,
    }
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
        "calibration": {name: {"scale": tail.scale, "shape": tail.shape} for name, tail in fitted.tails.items()},
        "summary": fitted.summary,
    }
    return save({key: value.contiguous() for key, value in tensors.items()}, {"anomgan": json.dumps(header)})


def read_header(data: bytes, where: str) -> dict[str, Any]:
    """The JSON header alone; ModelFileError names `where` and what is wrong."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise ModelFileError(f"{where}: truncated, or not an anomgan model file")
    try:
        header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["anomgan"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ModelFileError(f"{where}: not an anomgan model file") from None
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise ModelFileError(f"{where}: not an anomgan model file")
    if header["format"] > FORMAT:
        newer = header.get("library_version", "?")
        raise ModelFileError(
            f"{where}: written by a newer anomgan ({newer}, format {header['format']}); this one reads up to {FORMAT}"
        )
    return header


def unpack(data: bytes, where: str) -> Fitted:
    """The inverse of `pack`; ModelFileError for a truncated, foreign, newer or inconsistent file."""
    header = read_header(data, where)
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise ModelFileError(f"{where}: truncated or damaged: {error}") from None
    try:
        return _assemble(header, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ModelFileError(f"{where}: the parts of this model file do not fit together: {reason}") from None


def _assemble(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Fitted:
    config = DetectorConfig.model_validate(header["config"])
    channels, units = tuple(map(str, header["channels"])), tuple(map(str, header["units"]))
    for name, tensor in tensors.items():
        if name != "scaler.centre" and tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} is not finite")
    shape = Shape(len(channels), config.window or 0, config.latent, config.width)
    networks = Networks(shape, Generator(shape), Encoder(shape), Discriminator(shape, normalised=False))
    for name in NETWORKS:
        prefix = f"{name}."
        state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        network = getattr(networks, name)
        network.load_state_dict(state)
        network.eval().requires_grad_(False)
    centre, spread, constant = (tensors[f"scaler.{name}"].numpy() for name in ("centre", "spread", "constant"))
    memory = Memory(tensors["memory.features"], tensors["memory.centre"], tensors["memory.spread"])
    sized = {"units": len(units), "scaler": len(centre), "usual": len(tensors["usual"])}
    for name, size in sized.items():
        if size != len(channels):
            raise ValueError(f"{size} entries in {name} for {len(channels)} channels")
    if memory.features.shape[1:] != (shape.features,):
        raise ValueError(f"memory of shape {tuple(memory.features.shape)} for {shape.features} features")
    tails = {
        name: Tail(
            tensors[f"tail.{name}.body"].numpy(),
            tensors[f"tail.{name}.log_survival"].numpy(),
            float(header["calibration"][name]["scale"]),
            float(header["calibration"][name]["shape"]),
        )
        for name in TAILS
    }
    summary = {**header["summary"], "library_version": header["library_version"]}
    period_s = float(header["period_s"])
    scaler = Scaler(centre, spread, constant.astype(bool))
    return Fitted(config, channels, units, period_s, scaler, networks, memory, tensors["usual"], tails, summary)
