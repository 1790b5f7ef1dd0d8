"""What every model file has in common: safetensors bytes with a JSON header, sealed by a digest. Pure.

The tensors are plain arrays; the header is JSON text in safetensors' metadata under "anomgan". Nothing in a file is
ever executed. What kind of model it is stands in the header; a file that says nothing is a detector's.
"""

import json
import math
from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from anomgan.config import ArchitectureName
from anomgan.errors import DataError, ModelFileError
from anomgan.gan.networks import Discriminator, Encoder, Generator, Networks
from anomgan.gan.shape import Shape
from anomgan.pool import MAX_CHANNELS

DIGEST = "digest"
NETWORKS = ("generator", "encoder", "discriminator")
DETECTOR, SYNTHESIZER = "detector", "synthesizer"
Tensors = dict[str, torch.Tensor]
Model = TypeVar("Model")


def seal(header: dict[str, Any], tensors: Tensors) -> bytes:
    """Header and tensors as bytes."""
    whole = {key: value.contiguous() for key, value in tensors.items()}
    return save(whole, {"anomgan": json.dumps(header | {DIGEST: digest_of(header, whole)})})


def digest_of(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 of all that a file says, so that damage is not taken for weights. It keeps out nobody who wants in."""
    said = {key: value for key, value in header.items() if key != DIGEST}
    digest = sha256(json.dumps(said, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # a copy, for a single number out of a row keeps the row's stride and counts as contiguous all the same
        digest.update(tensor.flatten().clone(memory_format=torch.contiguous_format).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def sealed_header(data: bytes, where: str) -> dict[str, Any]:
    """The JSON header alone, of any kind and format; ModelFileError where there is none."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise ModelFileError(f"{where}: truncated, or not an anomgan model file")
    try:
        header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["anomgan"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ModelFileError(f"{where}: not an anomgan model file") from None
    if not isinstance(header, dict) or not isinstance(header.get("format"), int) or header["format"] < 1:
        raise ModelFileError(f"{where}: not an anomgan model file")
    return header


def open_sealed(
    data: bytes, where: str, header: dict[str, Any], assemble: Callable[[dict[str, Any], Tensors], Model]
) -> Model:
    """What `assemble` makes of a file with this header; ModelFileError for a truncated, damaged or inconsistent one."""
    try:
        tensors = load(data)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{where}: truncated or damaged: {first_line(error)}") from None
    if header.get(DIGEST, "") not in ("", digest_of(header, tensors)):  # files of 0.1.0 have none
        raise ModelFileError(f"{where}: damaged: its content is not what was written")
    try:
        return assemble(header, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError, ValidationError, DataError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else first_line(error)
        raise ModelFileError(f"{where}: the parts of this model file do not fit together: {reason}") from None


def first_line(error: Exception) -> str:
    """The first line of what an error says, or its name."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def network_tensors(networks: Networks) -> Tensors:
    """The weights of all three networks, by name."""
    return {f"{name}.{key}": value for name in NETWORKS for key, value in getattr(networks, name).state_dict().items()}


def take_networks(
    shape: Shape, architecture: ArchitectureName, tensors: Tensors, stored: Callable[[str], str] = str
) -> Networks:
    """The networks of a file, where `stored` says under which name a weight is kept.

    Sizes are compared before anything is made: a header that lies cannot ask for memory.
    """
    with torch.device("meta"):
        networks = Networks(
            shape,
            Generator(shape, architecture),
            Encoder(shape, architecture),
            Discriminator(shape, architecture, normalised=False),
        )
    for name in NETWORKS:
        network = getattr(networks, name)
        blank = network.state_dict()
        network.load_state_dict(
            {key: take(tensors, f"{name}.{stored(key)}", tuple(value.shape)) for key, value in blank.items()},
            assign=True,
        )
        network.eval().requires_grad_(False)
    take(tensors, "generator.reach", (shape.channels, 1), positive=True)
    return networks


def take(
    tensors: Tensors,
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


def number(given: object, name: str, *, positive: bool = False, signed: bool = False) -> float:
    """A finite number, not negative unless it may be `signed`."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"{name} is no number")
    told = float(given)
    if not math.isfinite(told) or (told < 0 and not signed) or (positive and told == 0):
        raise ValueError(f"{name} is {told}")
    return told


def texts(header: dict[str, Any], key: str) -> tuple[str, ...]:
    """A list of texts in a header."""
    given = header[key]
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise ValueError(f"{key} is not a list of texts")
    return tuple(given)


def take_channels(header: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Channels and units; ValueError where they are not what a model can have."""
    channels, units = texts(header, "channels"), texts(header, "units")
    if not 1 <= len(channels) <= MAX_CHANNELS or len(set(channels)) < len(channels) or len(units) != len(channels):
        raise ValueError(f"{len(set(channels))} different channels of {len(channels)}, with {len(units)} units")
    return channels, units
