"""Data sets straight from the generators: training and test rows of every device, what was wrong with them, and when.

    DIR/train/SITE/DEVICE.parquet   time, channels; no fault
    DIR/test/SITE/DEVICE.parquet    time, channels, label (1 where a fault is present)
    DIR/truth.parquet, truth.csv    every fault: site, device, device_kind, kind, channels, severity, ramp_s,
                                    recovery_s, start, end, domain (always "fault")
    DIR/manifest.json               scenario, seed, version, files, channels with their units; written last

A column is called as in `flow [m³/h]`, which the commands read as the channel `flow` in m³/h. A site without a name has
no folder. A scenario's network has no part in it. All bytes follow from scenario and seed (and the versions and models
that the manifest names, these by their SHA-256).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from anomgan.adapters.dataset_files import (
    check_empty,
    device_table,
    scratch,
    truth_table,
    write_table,
    write_text,
)
from anomgan.errors import ConfigError
from anomgan.records import Floats
from anomgan.simulate.dataset import Plan, pieces
from anomgan.simulate.faults import Fault
from anomgan.simulate.fleet import blocks
from anomgan.simulate.learned_kind import LearnedKind
from anomgan.simulate.randomness import BLOCK
from anomgan.simulate.scenario import Group, Scenario
from anomgan_simulator.truth import truth_record
from anomgan_simulator.truth_file import truth_row

Form = Literal["parquet", "csv"]
NO_PART: dict[str, Any] = {
    **dict.fromkeys(("broker", "output", "network", "incidents"), True),
    "devices": {"__all__": {"network"}},
}
"""of a scenario, in a data set: what is measured is there, whatever a network would have made of it"""
IN_MEMORY, ON_DISK = 768 << 20, 2 << 30
"""bytes of values that are held at a time: more than the first lie in a file meanwhile"""
FEWEST, MOST = 64, 512
"""devices that are simulated together: the more, the faster; the fewest also where their values take more room"""


@dataclass(slots=True)
class DatasetTotals:
    """How far a data set is: values are channel values."""

    values: int = 0
    devices: int = 0
    bytes: int = 0
    faults: int = 0
    stopped: bool = False


def write_dataset(
    plan: Plan,
    folder: Path,
    form: Form,
    stop: threading.Event,
    report: Callable[[DatasetTotals], None] | None = None,
) -> DatasetTotals:
    """Write all of it; stops early, without a manifest, when told to.

    `report` hears after every few rows. Raises DataError where the folder is not empty or cannot be written,
    ConfigError for a site that can be no folder.
    """
    for group in plan.scenario.groups:
        if group.site in (".", "..") or "\\" in group.site or "\0" in group.site:
            raise ConfigError(f"devices: site {group.site!r} can be no folder of a data set")
    check_empty(folder)
    totals = DatasetTotals(faults=len(plan.faults))
    channels = max(len(group.kind.channels) for group in plan.scenario.groups)
    for part, faults in pieces(plan, together(channels, plan.rows)):
        (group,) = part.groups
        with _room(folder, (len(group.names), len(group.kind.channels), plan.rows)) as values:
            labels = np.zeros((len(group.names), plan.rows), dtype=bool)
            if not _fill(plan, part, faults, values, labels, totals, stop, report):
                totals.stopped = True
                return totals
            for index, name in enumerate(group.names):
                for target, table in _tables(plan, group, name, values[index], labels[index]):
                    totals.bytes += write_table(folder / f"{target}.{form}", table)
                totals.devices += 1
    kinds = plan.scenario.kinds
    records = ((truth_record(fault, "end", plan.scenario.start_s), kinds[fault.source].name) for fault in plan.faults)
    truth = truth_table([truth_row(*record) for record in records])
    totals.bytes += sum(write_table(folder / name, truth) for name in ("truth.parquet", "truth.csv"))
    manifest = orjson.dumps(_manifest(plan, form), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    totals.bytes += write_text(folder / "manifest.json", manifest)
    return totals


def values_of(plan: Plan) -> int:
    """How many channel values a data set has."""
    return sum(len(group.names) * len(group.kind.channels) for group in plan.scenario.groups) * plan.rows


def together(channels: int, rows: int) -> int:
    """How many devices are simulated at a time."""
    return max(FEWEST, min(MOST, ON_DISK // (channels * rows * 8)))


@contextmanager
def _room(folder: Path, shape: tuple[int, int, int]) -> Iterator[Floats]:
    """An array for the values of a piece (D, C, T), in memory or, where that is too much, in a file."""
    if int(np.prod(shape)) * 8 <= IN_MEMORY:
        yield np.empty(shape)
        return
    with scratch(folder, shape) as values:
        yield values


def _fill(
    plan: Plan,
    part: Scenario,
    faults: list[Fault],
    values: Floats,
    labels: NDArray[np.bool_],
    totals: DatasetTotals,
    stop: threading.Event,
    report: Callable[[DatasetTotals], None] | None,
) -> bool:
    """Simulate a piece: values (D, C, T) and labels (D, T); False when told to stop."""
    for block in blocks(part, faults):
        first, rows = block.first_row, min(BLOCK, plan.rows - block.first_row)
        if rows <= 0:
            break
        if stop.is_set():
            return False
        values[:, :, first : first + rows] = block.values[0][:, :rows].transpose(0, 2, 1)
        labels[:, first : first + rows] = block.labels[0][:, :rows]
        totals.values += rows * values.shape[0] * values.shape[1]
        if report is not None:
            report(totals)
    return True


def _tables(
    plan: Plan, group: Group, name: str, values: Floats, labels: NDArray[np.bool_]
) -> Iterator[tuple[str, Any]]:
    """(path without ending, table) of the two sets of one device, values (C, T)."""
    columns = [f"{channel.name} [{channel.unit}]" if channel.unit else channel.name for channel in group.kind.channels]
    for stretch, rows in (("train", slice(0, plan.train_rows)), ("test", slice(plan.train_rows, plan.rows))):
        told = labels[rows] if stretch == "test" else None
        content = dict(zip(columns, values[:, rows], strict=True))
        yield place(stretch, group.site, name), device_table(_times_us(plan.scenario, rows), content, told)


def place(stretch: str, site: str, device: str) -> str:
    """Where a device's rows lie, without the ending."""
    return "/".join(part for part in (stretch, site, device) if part)


def _times_us(scenario: Scenario, rows: slice) -> NDArray[np.int64]:
    """The event times of some rows, microseconds since 1970."""
    at = np.arange(rows.start, rows.stop, dtype=np.float64) * scenario.period_s
    return np.rint((scenario.start_s + at) * 1e6).astype(np.int64)


def _manifest(plan: Plan, form: Form) -> dict[str, Any]:
    scenario = plan.scenario
    kinds = {group.kind.name: group.kind for group in scenario.groups}
    models = {name: kind.digest for name, kind in kinds.items() if isinstance(kind, LearnedKind)}
    return {
        "format": "anomgan data set",
        "version": 1,
        "anomgan": version("anomgan"),
        "polars": version("polars"),
        "numpy": version("numpy"),
        **({"torch": version("torch"), "models": models} if models else {}),
        "seed": scenario.config.clock.seed,
        "period_s": scenario.period_s,
        "train": {"first_row": 0, "rows": plan.train_rows, "start_s": scenario.start_s},
        "test": {
            "first_row": plan.train_rows,
            "rows": plan.test_rows,
            "start_s": scenario.start_s + plan.train_rows * scenario.period_s,
        },
        "faults": len(plan.faults),
        "kinds": {
            name: [
                {"channel": channel.name, "unit": channel.unit, "resolution": channel.resolution}
                for channel in kind.channels
            ]
            for name, kind in kinds.items()
        },
        "devices": [
            {
                "site": group.site,
                "device": name,
                "kind": group.kind.name,
                "train": f"{place('train', group.site, name)}.{form}",
                "test": f"{place('test', group.site, name)}.{form}",
            }
            for group in scenario.groups
            for name in group.names
        ],
        # its faults count from the first row of the test set
        "scenario": plan.config.model_dump(mode="json", exclude=NO_PART),
    }
