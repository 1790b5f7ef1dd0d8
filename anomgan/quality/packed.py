"""What is remembered of a fleet's data quality as bytes: a checksum, whom it is of, and the arrays as they are.

Read back, every number is looked at: what no reading can have left there is refused. A checksum tells that bytes are
damaged, and not that they are ours.
"""

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.quality.arrival import DEVICE
from anomgan.quality.cell import CALM, CELL, CERTAIN, MOST_CALM, NEW_STATE, NO_STATE, SUSPECT
from anomgan.quality.counters import COUNTER, DROPOUT
from anomgan.records import Source

MAGIC = b"agQS\x01"
CHECK, HEAD = struct.Struct("<I"), struct.Struct("<II")
Arrays = Sequence[NDArray[Any]]
Range = tuple[float, float]
TIME: Range = (-1e15, 1e15)
VALUE: Range = (-1e45, 1e45)
"""what readings may be, and seen in another unit"""
SUM: Range = (-1e60, 1e60)
COUNT: Range = (0, 2**31 - 1)
COUNTING: Range = (0, 2**30)
"""one more still fits"""
MANY: Range = (0, 2**53)

RANGES: Mapping[np.dtype[Any], Mapping[str, Range]] = {
    DEVICE: {
        **dict.fromkeys(DEVICE.names or (), TIME),
        **{"count": MANY, "refused": MANY, "samples": COUNTING, "overdue": COUNTING, "rate": (0.0, 1.0)},
    },
    CELL: {
        **dict.fromkeys(("last", "evidence", "unit_x"), VALUE),
        **dict.fromkeys(("last_s", "run_s", "start_s", "end_s", "unit_s"), TIME),
        **{"run": COUNT, "missing": COUNT, "began": (0, 2), "kind": (0, SUSPECT - 1), "lenient": (0, NO_STATE)},
        **{"calm": (0, CALM << MOST_CALM), "seen": (0, CERTAIN), "moved": (0, CERTAIN), "way": (0.0, np.inf)},
        **{"unit": (0, 127)},
    },
    COUNTER: {"offset": SUM, "before": SUM, "undo": SUM, "left": (0, DROPOUT), "resets": COUNTING},
}
"""by kind of record and field: from where to where a number may lie"""
MAY_BE_UNKNOWN: Mapping[np.dtype[Any], Sequence[str]] = {
    DEVICE: ("recent", "heard_s", "span_at_s", "patience_at_s", "quiet_s", "due_s", "start_s"),
    CELL: ("last", "last_s", "run_s", "evidence"),
    COUNTER: (),
}
"""fields where NaN stands for nothing yet"""


def pack(made_for: int, sources: Sequence[Source], arrays: Arrays) -> bytes:
    """Versioned bytes of devices and of arrays with a row for each."""
    names = [part.encode() for source in sources for part in source]
    parts = [struct.pack(f"<{len(names)}I", *map(len, names)), *names]
    body = b"".join(parts + [array[: len(sources)].tobytes() for array in arrays])
    told = HEAD.pack(made_for, len(sources)) + body
    return MAGIC + CHECK.pack(zlib.crc32(told)) + told


def unpack(snapshot: bytes, made_for: int, like: Arrays, conversions: Sequence[int]) -> tuple[list[Source], Arrays]:
    """The inverse, with arrays `like` those that were packed; DataError for foreign, damaged or unfitting bytes.

    conversions (C,): how many each channel's unit has.
    """
    if not snapshot.startswith(MAGIC):
        raise DataError("these bytes are not a snapshot of data quality, or of another version")
    check, told = snapshot[len(MAGIC) :][: CHECK.size], snapshot[len(MAGIC) + CHECK.size :]
    if len(told) < HEAD.size or check != CHECK.pack(zlib.crc32(told)):
        raise DataError("the snapshot of data quality is truncated or damaged")
    given, known = HEAD.unpack_from(told)
    if given != made_for:
        raise DataError("the snapshot of data quality was made for other channels")
    at = HEAD.size + 8 * known
    if len(told) < at:
        raise DataError("the snapshot of data quality is truncated")
    lengths = struct.unpack_from(f"<{2 * known}I", told, HEAD.size)
    edges = list(accumulate(lengths, initial=at))
    sizes = [known * array.dtype.itemsize * math.prod(array.shape[1:]) for array in like]
    if len(told) != edges[-1] + sum(sizes):
        raise DataError("the snapshot of data quality is of another length than it says")
    try:
        names = [told[a:b].decode() for a, b in pairwise(edges)]
    except UnicodeDecodeError as error:
        raise DataError(f"a name in the snapshot of data quality is no text: {error}") from None
    sources = list(zip(names[::2], names[1::2], strict=True))
    if len(set(sources)) < known:
        raise DataError("a device is twice in the snapshot of data quality")
    starts = accumulate(sizes[:-1], initial=edges[-1])
    arrays = [
        np.ndarray((known, *one.shape[1:]), one.dtype, told, start) for one, start in zip(like, starts, strict=True)
    ]
    for array in arrays:
        _require_sound(array, conversions)
    return sources, arrays


def _require_sound(array: NDArray[Any], conversions: Sequence[int]) -> None:
    """DataError where a number is none that readings leave."""
    for name, (least, most) in RANGES[array.dtype].items():
        values = array[name]
        sound = (values >= least) & (values <= most)
        if name in MAY_BE_UNKNOWN[array.dtype]:
            sound |= np.isnan(values)
        if name == "newest_s":
            sound |= values == -np.inf
        if not sound.all():
            raise DataError(f"{name} in the snapshot of data quality is no number that it can be")
    if array.dtype == CELL and (
        (array["unit"] > np.array(conversions)).any() or ((array["kind"] == NEW_STATE) & (array["lenient"] == 0)).any()
    ):
        raise DataError("a channel in the snapshot of data quality is as none can be")
