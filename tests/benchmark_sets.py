"""Tiny data sets in the layouts in which their owners publish them, and a result."""

import json
import math
from pathlib import Path

import numpy as np
from examples import normal_values

from anomgan.records import Floats
from anomgan_benchmark.hit_rate import Hits
from anomgan_benchmark.protocol import Figures
from anomgan_benchmark.results import Key

KEY = Key("skab", "valve1-0", "knn", 0, "0.1.0+abc", "{}", "123")
FIGURES = Figures(
    train_rows=400, rows=100, channels=3, period_s=1.0, anomalous=20, unscored=9, vus_window=24, vus_pr=0.5,
    vus_roc=0.6, auc_pr=0.4, auc_roc=0.7, best_f1=0.5, true_events=1, events_found=0, false_alarms=2,
    normal_windows=71, median_delay_s=math.nan, fit_s=0.1, score_s=0.02, windows=91,
    hits=(Hits((0.5, 1.0), (0.25, 0.25), True),),
)  # fmt: skip


def labelled(rows: int, first: int, last: int, seed: int = 0, channels: int = 3) -> tuple[Floats, Floats]:
    """(values, labels): normal, but for the second channel from row `first` to `last`, both included."""
    values, labels = normal_values(rows, seed, channels), np.zeros(rows)
    labels[first : last + 1] = 1
    values[first : last + 1, min(1, channels - 1)] += 4.0
    return values, labels


def write_skab(folder: Path, series: int = 2, group: str = "valve1") -> None:
    """Files of 400 normal rows and 100 with a fault from row 440 to 459."""
    (folder / group).mkdir(parents=True, exist_ok=True)
    for number in range(series):
        values, labels = labelled(500, 440, 459, seed=number)
        lines = ["datetime;flow;pressure;current;anomaly;changepoint"]
        lines += [
            ";".join([f"2020-03-09 10:{row // 60:02}:{row % 60:02}", *map(str, cells), str(label), "0.0"])
            for row, (cells, label) in enumerate(zip(values.tolist(), labels.tolist(), strict=True))
        ]
        (folder / group / f"{number}.csv").write_text("\n".join(lines) + "\n")


def write_telemanom(folder: Path) -> None:
    """P-1 and E-1 of SMAP, of which E-1 has two lines of labels, C-1 of MSL; rows 10 to 12 anomalous, 40 to 41 too."""
    for part, rows in (("train", 60), ("test", 50)):
        (folder / "data" / part).mkdir(parents=True)
        for seed, name in enumerate(("P-1", "E-1", "C-1")):
            np.save(folder / "data" / part / f"{name}.npy", normal_values(rows, seed))
    lines = [
        "chan_id,spacecraft,anomaly_sequences,class,num_values",
        'P-1,SMAP,"[[10, 12], [40, 41]]","[contextual, point]",50',
        'E-1,SMAP,"[[10, 12]]",[point],50',
        'E-1,SMAP,"[[40, 41]]",[point],50',
        'C-1,MSL,"[[0, 49]]",[point],50',
    ]
    (folder / "labeled_anomalies.csv").write_text("\n".join(lines) + "\n")


def write_smd(folder: Path) -> None:
    """machine-1-6, one of the eight, and machine-1-1, which is not; anomalous rows 10 to 19 in channels 2 and 3."""
    for part in ("train", "test", "test_label", "interpretation_label"):
        (folder / part).mkdir(parents=True)
    for name in ("machine-1-1", "machine-1-6"):
        values, labels = labelled(60, 10, 19)
        np.savetxt(folder / "train" / f"{name}.txt", normal_values(50, 1), delimiter=",")
        np.savetxt(folder / "test" / f"{name}.txt", values, delimiter=",")
        np.savetxt(folder / "test_label" / f"{name}.txt", labels, fmt="%d")
        (folder / "interpretation_label" / f"{name}.txt").write_text("10-20:2,3\n")


def write_npz(path: Path, channels: int = 3) -> None:
    """train (50, C), test (60, C), label (60,): rows 10 to 19."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values, labels = labelled(60, 10, 19, channels=channels)
    train = normal_values(50, 1, channels)
    np.savez(path, train=train.astype(np.float32), test=values.astype(np.float32), label=labels.astype(np.int8))


def write_tep(folder: Path) -> None:
    """Two faults from row 160 of 200; the training part stored transposed."""
    folder.mkdir(parents=True)
    np.savetxt(folder / "d00.dat", normal_values(80, 1).T)
    for name in ("d00_te", "d01_te", "d02_te"):
        np.savetxt(folder / f"{name}.dat", labelled(200, 160, 199)[0])


def write_batadal(folder: Path) -> None:
    """Both files as they are: blanks in the second's header, -999 for rows that nobody labelled."""
    folder.mkdir(parents=True)
    for name, header, rows in (
        ("dataset03", "DATETIME,L_T1,L_T2,ATT_FLAG", [(1.0, 0), (2.0, 0), (3.0, 0)]),
        ("dataset04", "DATETIME, L_T1, L_T2, ATT_FLAG", [(4.0, -999), (5.0, 1), (6.0, 1)]),
    ):
        lines = [f"06/01/14 {hour:02},{level}, {2 * level},{flag}" for hour, (level, flag) in enumerate(rows)]
        (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")


def write_nab(folder: Path) -> None:
    """Both temperatures, hourly, and a third file without windows; hours 30 to 35 labelled."""
    (folder / "labels").mkdir(parents=True)
    windows = {}
    for name in ("machine_temperature_system_failure", "ambient_temperature_system_failure", "nyc_taxi"):
        file = folder / "data" / "realKnownCause" / f"{name}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = [f"2014-07-0{1 + hour // 24} {hour % 24:02}:00:00,{hour}.5" for hour in range(60)]
        file.write_text("\n".join(["timestamp,value", *rows]) + "\n")
        spans = [["2014-07-02 06:00:00.000000", "2014-07-02 11:00:00.000000"]]
        windows[f"realKnownCause/{name}.csv"] = [] if name == "nyc_taxi" else spans
    (folder / "labels" / "combined_windows.json").write_text(json.dumps(windows))
