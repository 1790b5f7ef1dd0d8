"""The data sets, in the layouts in which their owners publish them and repacked as npz (`train`, `test`, `label`).

A suite's folder is looked for below the folder of all sets; that folder may also be the suite's own. No set is ours to
hand on: each suite names its source and licence.
"""

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from anomgan.errors import DataError
from anomgan_benchmark.layouts import (
    LabelledSeries,
    column,
    labelled_series,
    numbers,
    read_matrix,
    read_npy,
    read_npz,
    read_segments,
    read_table,
)

MINUTE_S, HOUR_S = 60.0, 3600.0
Listing = Mapping[str, Callable[[], LabelledSeries]]
"""The name of every series and how to read it."""

SMD_MACHINES = ("1-6", "1-7", "2-1", "2-2", "2-7", "2-8", "3-3", "3-4")
NAB_SERIES = {"machine": "machine_temperature_system_failure", "ambient": "ambient_temperature_system_failure"}


@dataclass(frozen=True, slots=True)
class Suite:
    """A data set: the folders it goes by, and what lists its series in each of its layouts."""

    folders: tuple[str, ...]
    layouts: tuple[Callable[[Path], Listing], ...]
    wanted: str


def open_suite(name: str, data: Path) -> Listing:
    """The series of a suite below `data`; DataError names the folders looked for."""
    if name not in SUITES:
        raise DataError(f"there is no suite {name!r}; there are {', '.join(SUITES)}")
    suite = SUITES[name]
    looked = [data / folder for folder in suite.folders] + ([data] if data.resolve().name in suite.folders else [])
    there = [folder for folder in looked if folder.is_dir()]
    for folder in there:
        for layout in suite.layouts:
            if found := layout(folder):
                return found
    if there:
        raise DataError(f"suite {name}: {there[0]} does not hold {suite.wanted}")
    raise DataError(f"suite {name}: there is no folder {' nor '.join(map(str, looked))}")


# ---------------------------------------------------------------- one function per layout


def _skab(folder: Path) -> Listing:
    """SKAB, a water-circulation pump bench: 8 channels, 1 s; waico/SKAB, GPL-3.0. The first 400 rows train."""
    root = folder / "data" if (folder / "data").is_dir() else folder
    return {
        f"{group}-{path.stem}": partial(_read_skab, path)
        for group in ("valve1", "valve2", "other")
        for path in sorted((root / group).glob("*.csv"), key=lambda path: (len(path.stem), path.stem))
    }


def _read_skab(path: Path) -> LabelledSeries:
    table = read_table(path, ";")
    labels = numbers(path, table, ["anomaly"])[:, 0]
    values = numbers(path, table, [name for name in table if name not in ("datetime", "anomaly", "changepoint")])
    return labelled_series(path, values[:400], values[400:], labels[400:], 1.0)


def _telemanom_npz(spacecraft: str, folder: Path) -> Listing:
    """SMAP and MSL, spacecraft telemetry: 25 and 55 channels, a minute; khundman/telemanom, public."""
    return {
        path.stem.removeprefix(f"{spacecraft}_"): partial(read_npz, path, MINUTE_S)
        for path in sorted((folder / "npz").glob(f"{spacecraft}_*.npz"))
    }


def _telemanom(spacecraft: str, folder: Path) -> Listing:
    """The same as its owners publish it: data/train/*.npy, data/test/*.npy, labeled_anomalies.csv."""
    path = folder / "labeled_anomalies.csv"
    if not path.is_file():
        return {}
    table = read_table(path)
    owners = zip(column(path, table, "chan_id"), column(path, table, "spacecraft"), strict=True)
    names = sorted({name for name, owner in owners if owner == spacecraft})
    parts = [folder / "data" / "train", folder / "data" / "test"]
    return {
        name: partial(_read_telemanom, path, name, *(part / f"{name}.npy" for part in parts))
        for name in names
        if all((part / f"{name}.npy").is_file() for part in parts)
    }


def _read_telemanom(path: Path, name: str, train: Path, test: Path) -> LabelledSeries:
    table, values = read_table(path), read_npy(test)
    labels = np.zeros(len(values), dtype=np.bool_)
    for channel, sequences in zip(
        column(path, table, "chan_id"), column(path, table, "anomaly_sequences"), strict=True
    ):
        if channel != name:
            continue
        try:
            for start, end in ast.literal_eval(sequences):
                labels[start : end + 1] = True
        except (ValueError, TypeError, SyntaxError):
            raise DataError(f"{path}: {sequences!r} of {name} is not [[start, end], ...]") from None
    return labelled_series(test, read_npy(train), values, labels, MINUTE_S)


def _smd_npz(machines: Sequence[str], folder: Path) -> Listing:
    """SMD, server metrics: 38 channels, a minute; NetManAIOps/OmniAnomaly, MIT. Eight of its machines;
    `smd-all` takes all that are there."""
    paths = _chosen(folder / "npz", "machine-*.npz", machines)
    return {path.stem: partial(_read_interpreted, path, MINUTE_S, False) for path in paths}


def _smd(machines: Sequence[str], folder: Path) -> Listing:
    """The same as its owners publish it: train/, test/, test_label/, interpretation_label/ of text files."""
    return {path.stem: partial(_read_smd, folder, path.name) for path in _chosen(folder / "test", "*.txt", machines)}


def _chosen(folder: Path, pattern: str, machines: Sequence[str]) -> list[Path]:
    return [p for p in sorted(folder.glob(pattern)) if not machines or p.stem.removeprefix("machine-") in machines]


def _read_smd(folder: Path, file: str) -> LabelledSeries:
    train, test, labels = (read_matrix(folder / part / file, ",") for part in ("train", "test", "test_label"))
    interpretation = folder / "interpretation_label" / file
    segments = read_segments(interpretation, end_included=False) if interpretation.is_file() else ()
    return labelled_series(folder / "test" / file, train, test, labels[:, 0], MINUTE_S, segments)


def _asd(folder: Path) -> Listing:
    """ASD, server metrics: 19 channels, 5 minutes; zhhlee/InterFusion, MIT. Its owners' pickles are not read."""
    paths = sorted((folder / "npz").glob("*.npz"), key=lambda path: (len(path.stem), path.stem))
    if not paths and (pickles := sorted(folder.rglob("*.pkl"))):
        raise DataError(
            f"{pickles[0]}: a pickle is not read, since reading it executes what it holds; "
            f"put train, test and label of each machine into {folder / 'npz' / 'omi-1.npz'} and so on"
        )
    return {path.stem: partial(_read_interpreted, path, 5 * MINUTE_S, True) for path in paths}


def _read_interpreted(path: Path, period_s: float, end_included: bool) -> LabelledSeries:
    """An npz with the labelled segments of interpretation_label/ beside its folder, where they are there."""
    interpretation = path.parent.parent / "interpretation_label" / f"{path.stem}.txt"
    segments = read_segments(interpretation, end_included) if interpretation.is_file() else ()
    return read_npz(path, period_s, segments)


def _tep(folder: Path) -> Listing:
    """TEP, the simulated Tennessee Eastman plant: 52 channels, 3 minutes, 21 faults from row 160 on, one training set
    for all; camaramm/tennessee-eastman-profBraatz, BSD-like."""
    paths = [path for path in sorted(folder.glob("d*_te.dat")) if path.stem != "d00_te"]
    return {path.stem: partial(_read_tep, folder / "d00.dat", path) for path in paths}


def _read_tep(train: Path, test: Path) -> LabelledSeries:
    normal, values = read_matrix(train), read_matrix(test)
    if normal.shape[1] != values.shape[1]:
        normal = normal.T  # the owners store this one file transposed
    return labelled_series(test, normal, values, np.arange(len(values)) >= 160, 3 * MINUTE_S)


def _batadal(folder: Path) -> Listing:
    """BATADAL, a simulated water network under attack: 43 channels, an hour; rtaormina/aeed. Of its labels 1 is an
    attack; -999, unlabelled, counts as normal."""
    root = folder / "data" if (folder / "data").is_dir() else folder
    train, test = (sorted(root.glob(f"*dataset{number}.csv")) for number in ("03", "04"))
    return {"dataset04": partial(_read_batadal, train[0], test[0])} if train and test else {}


def _read_batadal(train: Path, test: Path) -> LabelledSeries:
    normal, attacked = read_table(train), read_table(test)
    names = [name for name in normal if name not in ("DATETIME", "ATT_FLAG")]
    labels = numbers(test, attacked, ["ATT_FLAG"])[:, 0] == 1
    return labelled_series(test, numbers(train, normal, names), numbers(test, attacked, names), labels, HOUR_S)


def _nab(files: Mapping[str, str], folder: Path) -> Listing:
    """NAB, univariate series; numenta/NAB, MIT. The first 15 % train; the period is the median step. `nab` is two
    temperatures, `nab-all` every file with labels that is there."""
    root = folder / "data" if (folder / "data").is_dir() else folder
    path = folder / "labels" / "combined_windows.json"
    try:
        windows = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DataError(f"{path}: not JSON: {error}") from None
    there = {name: root / name for name in sorted(windows) if windows[name] and (root / name).is_file()}
    if not files:
        return {file.stem: partial(_read_nab, file, windows[name]) for name, file in there.items()}
    of = {file.stem: (file, windows[name]) for name, file in there.items()}
    return {name: partial(_read_nab, *of[stem]) for name, stem in files.items() if stem in of}


def _read_nab(path: Path, windows: Sequence[tuple[str, str]]) -> LabelledSeries:
    table = read_table(path)
    try:
        times = np.array([cell.replace(" ", "T") for cell in column(path, table, "timestamp")], dtype="datetime64[us]")
        spans = [tuple(np.datetime64(moment.replace(" ", "T"), "us") for moment in window) for window in windows]
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    values = numbers(path, table, ["value"])
    labels = np.zeros(len(times), dtype=np.bool_)
    for start, end in spans:
        labels |= (times >= start) & (times <= end)
    period_s = float(np.median(np.diff(times)) / np.timedelta64(1, "s"))
    cut = int(0.15 * len(values))
    return labelled_series(path, values[:cut], values[cut:], labels[cut:], period_s)


_TELEMANOM = ("SMAP_MSL", "telemanom")
_SMD = ("SMD8", "SMD", "ServerMachineDataset", "OmniAnomaly/ServerMachineDataset")
_TELEMANOM_FILES = "npz/{}_*.npz, nor labeled_anomalies.csv with data/train/*.npy and data/test/*.npy"
_SMD_FILES = "npz/machine-*.npz, nor train/, test/ and test_label/ of text files"
_NAB_FILES = "labels/combined_windows.json and the CSV files that it names"

SUITES: dict[str, Suite] = {
    "skab": Suite(("SKAB",), (_skab,), "valve1/*.csv, valve2/*.csv, other/*.csv"),
    "smap": Suite(
        _TELEMANOM, (partial(_telemanom_npz, "SMAP"), partial(_telemanom, "SMAP")), _TELEMANOM_FILES.format("SMAP")
    ),
    "msl": Suite(
        _TELEMANOM, (partial(_telemanom_npz, "MSL"), partial(_telemanom, "MSL")), _TELEMANOM_FILES.format("MSL")
    ),
    "smd": Suite(_SMD, (partial(_smd_npz, SMD_MACHINES), partial(_smd, SMD_MACHINES)), _SMD_FILES),
    "smd-all": Suite(_SMD[1:], (partial(_smd_npz, ()), partial(_smd, ())), _SMD_FILES),
    "asd": Suite(("ASD",), (_asd,), "npz/*.npz"),
    "tep": Suite(("TEP", "tennessee-eastman-profBraatz"), (_tep,), "d00.dat and d01_te.dat to d21_te.dat"),
    "batadal": Suite(("BATADAL",), (_batadal,), "dataset03.csv and dataset04.csv"),
    "nab": Suite(("NAB",), (partial(_nab, NAB_SERIES),), _NAB_FILES),
    "nab-all": Suite(("NAB",), (partial(_nab, {}),), _NAB_FILES),
}
"""By the names that the command uses; the first folder that holds a layout is taken."""

EIGHT = ("skab", "smap", "msl", "smd", "asd", "tep", "batadal", "nab")
"""The suites of the published table."""
