"""The readings of a batch by device: n readings of G devices, each device's in their order of arrival."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Groups:
    """How a batch falls into devices. `single`: no device has two readings, so that nothing need be gathered.

    order (n,): the batch's rows, device after device; numbers (G,): the devices; first, last (G,): their rows in that
    order; of (n,): the group of each row in that order.
    """

    order: Indices
    numbers: Indices
    first: Indices
    last: Indices
    of: Indices
    single: bool

    def spread(self, of_devices: NDArray[Any]) -> NDArray[Any]:
        """(G, ...) -> (n, ...)."""
        return of_devices if self.single else of_devices[self.of]

    def any(self, of_rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(n, ...) -> (G, ...) whether one of a device's rows has it."""
        return of_rows if self.single else np.logical_or.reduceat(of_rows, self.first, axis=0)

    def at_last(self, of_rows: NDArray[Any]) -> NDArray[Any]:
        """(n, ...) -> (G, ...) what each device's last row has."""
        return of_rows if self.single else of_rows[self.last]


def group(who: Indices) -> Groups:
    """Devices by number (n,), n at least 1 -> their groups."""
    order = np.argsort(who, kind="stable")
    ordered = who[order]
    head = np.empty(len(who), bool)
    head[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=head[1:])
    first = np.flatnonzero(head)
    last = np.append(first[1:], len(who)) - 1
    return Groups(order, ordered[first], first, last, np.cumsum(head) - 1, len(first) == len(who))


def take(records: NDArray[Any], numbers: Indices) -> NDArray[Any]:
    """records[numbers] of a structured array (D, ...), copied as bytes: numpy would copy field by field."""
    rows: NDArray[Any] = _bytes(records)[numbers].view(records.dtype)
    return rows.reshape(len(numbers), *records.shape[1:])


def put(records: NDArray[Any], numbers: Indices, rows: NDArray[Any]) -> None:
    """records[numbers] = rows, likewise."""
    _bytes(records)[numbers] = _bytes(rows)


def _bytes(records: NDArray[Any]) -> NDArray[np.uint8]:
    return records.view(np.uint8).reshape(len(records), -1)
