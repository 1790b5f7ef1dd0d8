"""Rows from single metrics: where every channel has a topic of its own, a reading is put together here.

A pure step per device. Parts belong to one row as long as their times lie within half a sampling period of the row's
first part and no channel comes twice. A row is complete when all of the model's channels are there, or when a part
arrives that cannot belong to it; a channel that did not come then reads as missing.
"""

from collections.abc import Iterable
from dataclasses import replace

from anomgan.records import Reading, Source


class RowAssembler:
    """What is pending of each device."""

    def __init__(self, channels: Iterable[str], period_s: float) -> None:
        self._channels = frozenset(channels)
        self._span_s = period_s / 2.0
        self._pending: dict[Source, Reading] = {}

    def push(self, parts: Iterable[Reading]) -> list[Reading]:
        """Parts in, in order of arrival; the rows that they complete out."""
        rows: list[Reading] = []
        for part in parts:
            row = self._pending.pop(part.source, None)
            if row is not None and self._belongs(row, part):
                row = replace(row, values={**row.values, **part.values})
            else:
                if row is not None:
                    rows.append(row)
                row = part
            if row.values.keys() >= self._channels:
                rows.append(row)
            else:
                self._pending[part.source] = row
        return rows

    def _belongs(self, row: Reading, part: Reading) -> bool:
        return abs(part.time_s - row.time_s) < self._span_s and row.values.keys().isdisjoint(part.values)

    def __len__(self) -> int:
        """How many rows are pending."""
        return len(self._pending)
