"""The file of a run's ground truth: JSON lines as they are told, or a table, as data sets have one, at the end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anomgan.adapters.files import check_writable, json_lines
from anomgan.records import Source

TABLES = (".csv", ".parquet")
Add = Callable[[Mapping[str, Any]], None]


@contextmanager
def truth_file(path: Path, devices: Sequence[Mapping[str, Any]]) -> Iterator[Add]:
    """A function that takes the records of `truth`; a name that ends in .csv or .parquet gets a table of them.

    devices: as a run announces them, for their kinds. The table has a row for each fault and incident that has begun,
    and is written however the run ends. DataError where the file cannot be made.
    """
    if path.suffix not in TABLES:
        with json_lines(path) as add:
            yield add
        return
    from anomgan.adapters.dataset_files import truth_table, write_table  # polars is 40 MB, which a run without saves

    check_writable(path)
    kinds, rows = kinds_of(devices), dict[tuple[Any, ...], dict[str, Any]]()

    def keep(record: Mapping[str, Any]) -> None:
        if record["state"] in ("begin", "end"):  # the end tells again what the beginning did
            row = truth_row(record, kinds.get((record["site"], record["device"])))
            rows[tuple(row[key] for key in ("domain", "site", "device", "kind", "channels", "start"))] = row

    try:
        yield keep
    finally:
        write_table(path, truth_table(list(rows.values())))


def truth_row(record: Mapping[str, Any], device_kind: str | None) -> dict[str, Any]:
    """A record of `truth` as a row of the table; times in microseconds since 1970."""
    end_s = record["end_s"]
    return {
        "site": record["site"],
        "device": record["device"],
        "device_kind": device_kind,
        "kind": record["kind"],
        "channels": ",".join(record["channels"]),
        "severity": record["severity"],
        "ramp_s": record.get("ramp_s"),
        "recovery_s": record.get("recovery_s"),
        "start": _us(record["start_s"]),
        "end": None if end_s is None else _us(end_s),
        "domain": record.get("domain", "fault"),
    }


def kinds_of(devices: Sequence[Mapping[str, Any]]) -> dict[Source, str]:
    """The kind of every device, where the run says one."""
    return {
        (table["site"], f"{table['name']}{number}"): table["kind"]
        for table in devices
        if "kind" in table
        for number in range(1, table["count"] + 1)
    }


def _us(time_s: float) -> int:
    return round(time_s * 1e6)
