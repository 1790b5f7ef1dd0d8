"""A recorded series as the rows of one device, with its own times and gaps; labelled stretches become ground truth."""

from collections.abc import Iterator
from itertools import groupby

from anomgan.records import Reading, TimeSeries
from anomgan.simulate import Fault, Tick


def replay(series: TimeSeries, site: str = "") -> Iterator[Tick]:
    """The rows of the series in order. A run of labelled rows is one fault of kind `labelled`, of no channel."""
    faults = labelled_faults(series, site)
    begins = {first: fault for first, _, fault in faults}
    ends = {last: fault for _, last, fault in faults}
    for row, (time_s, values) in enumerate(zip(series.times.tolist(), series.values.tolist(), strict=True)):
        reading = Reading(series.device, time_s, dict(zip(series.channels, values, strict=True)), site)
        begun = [begins[row]] if row in begins else []
        ended = [ends[row]] if row in ends else []
        yield Tick(row, time_s, [reading], begun, ended)


def labelled_faults(series: TimeSeries, site: str) -> list[tuple[int, int, Fault]]:
    """(first row, last row, fault) of every run of labelled rows; none where the series has no labels."""
    if series.labels is None:
        return []
    found = []
    for labelled, run in groupby(range(len(series)), key=series.labels.tolist().__getitem__):
        rows = list(run)
        if labelled:
            start_s, end_s = (float(series.times[row] - series.times[0]) for row in (rows[0], rows[-1]))
            fault = Fault(site, series.device, "labelled", (), start_s, end_s + series.period_s, 1.0)
            found.append((rows[0], rows[-1], fault))
    return found
