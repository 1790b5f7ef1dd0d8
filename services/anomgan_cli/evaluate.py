"""`anomgan evaluate MODEL CSV`: how well a model's scores agree with labels, as a table and a picture."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anomgan_cli.explaining import imputed_line, imputer_of, put_imputed, synthesizer_option
from anomgan_cli.inputs import by_row, ignore_option, moment, read_for_model, rows_option, time_option
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.evaluation import Evaluation
    from anomgan.matching import Interval, Matching
    from anomgan.records import Event


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), metavar="CSV")
@click.option("--label", required=True, metavar="COLUMN", help="Column of the labels, 0 or 1 (1 = anomalous).")
@time_option
@ignore_option
@rows_option
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="The picture (.png, .pdf, .svg); left out: CSV's name + -evaluation.png, here.",
)
@synthesizer_option
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures as JSON.")
def evaluate(
    model: Path,
    file: Path,
    label: str,
    time: str | None,
    ignore: Sequence[str],
    rows: slice,
    plot: Path | None,
    synthesizer: Path | None,
    json_file: Path | None,
) -> None:
    """Compare MODEL's scores of CSV or Parquet with its labels.

    VUS-PR and AUC-PR say how well the scores rank the rows; events, false alarms and delay what the model would
    have raised at its own threshold. Nothing is point-adjusted. An event counts as found up to one window after its
    end. Rows without a score (warm-up, gaps) count as the least anomalous. With --synthesizer, what was to be expected
    in events is imputed, in the sentences and in the picture.

    \b
    anomgan evaluate pump.safetensors pump.csv --time datetime --label anomaly --rows 400:
    """
    from anomgan.adapters.files import write_bytes
    from anomgan.detector import Detector
    from anomgan.evaluation import evaluate as measure
    from anomgan.evaluation import intervals
    from anomgan.matching import match_events
    from anomgan.vus import dominant_period
    from anomgan.windows import carried, segment_starts
    from anomgan_cli.plot_style import form_of
    from anomgan_cli.plots import Picture, evaluation_plot

    target = plot or Path(f"{file.stem}-evaluation.png")
    form = form_of(target)
    detector = Detector.load(model)
    imputer = None if synthesizer is None else imputer_of(detector, synthesizer)
    series = read_for_model(detector, file, time, label, ignore, rows, least=detector.rule.window)
    if series.labels is None:
        raise RuntimeError("a series read with a label column has labels")
    ends, seen = detector.examine(series)
    newest = carried(ends, segment_starts(series.times, detector.rule))
    scores = by_row(seen.surprise, newest)
    explained = [] if imputer is None else imputer.events(series)
    events = detector.events(series) if imputer is None else [told.event for told in explained]
    expected = by_row(seen.expected, newest)
    low, high = put_imputed(explained, series, detector.channels, expected)
    tolerance_s = detector.rule.window * detector.period_s
    result = measure(
        scores,
        series.labels,
        window=dominant_period(series.values[:, 0]),
        threshold=detector.threshold,
        events=events,
        times=series.times,
        tolerance_s=tolerance_s,
    )
    truth = intervals(series.labels, series.times, series.device)
    matching = match_events(truth, events, tolerance_s)
    say(f"\n{result}\n")
    for line in _told(events, truth, matching):
        say(line)
    if synthesizer is not None:
        say(imputed_line(explained, synthesizer))

    picture = Picture(
        series=series,
        channels=detector.channels,
        expected=expected,
        contribution=by_row(seen.contribution, newest),
        scores=scores,
        threshold=detector.threshold,
        truth=truth,
        found=events,
        matching=matching,
        title=_title(series.device, result),
        figures=f"VUS-PR {result.vus_pr:.3f}, AUC-PR {result.auc_pr:.3f}",
        low=None if imputer is None else low,
        high=None if imputer is None else high,
    )
    write_bytes(target, evaluation_plot(picture, form))
    say(f"wrote {target}")
    if json_file is not None:
        figures = {"model": str(model), "file": str(file), **result.as_dict()}
        write_bytes(json_file, (json.dumps(figures, indent=2) + "\n").encode())
        say(f"wrote {json_file}")


def _told(events: "Sequence[Event]", truth: "Sequence[Interval]", matching: "Matching") -> list[str]:
    """One line per event raised and per true event missed, in order of time."""
    false = set(matching.false_alarms)
    lines = [
        (event.start_s, f"{'false alarm' if i in false else 'found':<11}  {event.severity:<8}  {event.reason}")
        for i, event in enumerate(events)
    ]
    lines += [(truth[i].start_s, f"{'missed':<11}  until {moment(truth[i].end_s)}") for i in matching.missed]
    return [f"{moment(time_s)}  {text}" for time_s, text in sorted(lines)]


def _title(device: str, result: "Evaluation") -> str:
    """The picture's title: the device and what was found on it."""
    alarms = result.alarms
    if not alarms:
        return f"{device}: the surprise beside the labels"
    plural = "" if alarms.false_alarms == 1 else "s"
    found = f"{alarms.events_found} of {alarms.true_events} labelled events found"
    return f"{device}: {found}, {alarms.false_alarms} false alarm{plural}"
