"""`anomgan benchmark`: detectors on the field's labelled data sets, by one protocol, as tables, files and pictures."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anomgan_cli.inputs import make_folder, out_option, some_names, steps_option, suite_option
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan_benchmark.results import Result


def seeds(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """`0,1,2` -> (0, 1, 2)."""
    try:
        found = tuple(dict.fromkeys(int(part) for part in value.split(",") if part.strip()))
    except ValueError:
        found = ()
    if not found or min(found) < 0:
        raise click.BadParameter(f"{value!r} is not a list of numbers from 0 up, such as 0,1,2")
    return found


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="The folder that holds the data sets.")
@suite_option("skab,smap,msl,smd,asd,tep,batadal,nab", "Data sets; smd-all and nab-all are the whole of SMD and NAB.")
@click.option(
    "--detectors",
    multiple=True,
    callback=some_names,
    metavar="A,B",
    default=["gan,zscore,pca,knn,iforest"],
    show_default=True,
    help="What is compared.",
)
@click.option(
    "--seeds", callback=seeds, default="0", show_default=True, help="Seeds of the detectors that take one, as 0,1,2."
)
@out_option
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes, one thread each.")
@steps_option
@click.option(
    "--contamination",
    type=click.FloatRange(0.0, 0.5),
    default=0.0,
    show_default=True,
    help="Share of training rows replaced by faults of the test part.",
)
@click.option("--keep-scores", is_flag=True, help="Also keep the score of every row, as npz below the folder.")
@click.option(
    "--peers", "peers_file", type=click.Path(path_type=Path), help="CSV of others' method, set, series, VUS-PR."
)
def benchmark(
    data: Path,
    suites: Sequence[str],
    detectors: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    jobs: int,
    steps: int | None,
    contamination: float,
    keep_scores: bool,
    peers_file: Path | None,
) -> None:
    """Measure detectors on labelled data sets, as their owners publish them, below the folder DATA.

    Each is fitted on a series' training part and scores its test part causally; labels only judge. Figures are means
    over series with a 95 % bootstrap interval: VUS-PR, VUS-ROC, AUC-PR, best F1 without point adjustment, events
    found and false alarms at the alarm budget, CPU seconds. Where a baseline beats the GAN, the table says so.

    Each result is written to OUT/results.jsonl when it is there; started again, the command goes on from it, and makes
    anew what failed or was made by other code, settings or data. Exit status 1 where something failed.

    \b
    anomgan benchmark --data datasets --suite skab,nab --out benchmark --jobs 2
    """
    from anomgan.adapters.files import write_bytes
    from anomgan.config import DetectorConfig, parse_config
    from anomgan_benchmark.detectors import check_detectors, without_repeats
    from anomgan_benchmark.export import results_csv, summary_csv, summary_json
    from anomgan_benchmark.peers import read_peers
    from anomgan_benchmark.results import open_results
    from anomgan_benchmark.run import missing_results, run, survey, wanted_results
    from anomgan_benchmark.summary import summarise
    from anomgan_benchmark.table import describe
    from anomgan_cli.benchmark_plots import means_plot, series_plot

    check_detectors(detectors)
    config = parse_config(DetectorConfig, {} if steps is None else {"steps": steps}, "anomgan benchmark")
    peers = {} if peers_file is None else read_peers(peers_file)
    found, left_out = survey(suites, data, contamination)
    if left_out:
        say(f"left out, since their labels are all of one kind: {', '.join(left_out)}")
    make_folder(out)
    wanted = wanted_results(found, without_repeats(detectors), seeds, config)
    scores_folder = out / "scores" if keep_scores else None
    with open_results(out / "results.jsonl") as results:
        missing = missing_results(wanted, results, scores_folder)
        say(f"{len(found)} series, {len(wanted)} results, {len(wanted) - len(missing)} of them there already")
        for _ in _shown(run(missing, data, results, jobs, scores_folder, contamination), len(missing)):
            pass
        told = [results.done[one.key] for one in wanted]

    summary = summarise(told)
    say(f"\n{describe(summary, peers)}\n")
    facts = {
        "data": str(data),
        "seeds": seeds,
        "contamination": contamination,
        "versions": sorted({f"{one.key.detector} {one.key.version}" for one in told}),
    }
    for name, content in (
        ("results.csv", results_csv(told)),
        ("summary.csv", summary_csv(summary, peers)),
        ("summary.json", summary_json(summary, peers, facts)),
        ("means.png", means_plot(summary, peers)),
        ("series.png", series_plot(summary)),
    ):
        if content is not None:
            write_bytes(out / name, content)
            say(f"wrote {out / name}")
    if summary.errors:
        raise click.exceptions.Exit(1)


def _shown(results: "Iterable[Result]", total: int) -> "Iterator[Result]":
    """Results as they come: a bar with the time left on a terminal, a line for each elsewhere."""
    from tqdm import tqdm

    if not total:
        return
    with tqdm(total=total, unit="result", disable=not sys.stderr.isatty()) as bar:
        for result in results:
            line = _line(result)
            if bar.disable:
                say(line, err=True)
            elif result.error:
                bar.write(line, file=sys.stderr)
            else:
                bar.set_postfix_str(line, refresh=False)
            bar.update()
            yield result


def _line(result: "Result") -> str:
    """`skab valve1-0 knn: VUS-PR 0.912`."""
    what = f"{result.key.suite} {result.key.series} {result.key.detector}"
    if result.error:
        return f"{what} failed: {result.error}"
    return f"{what}: " + ", ".join(
        f"{'' if name == result.key.detector else f'{name} '}VUS-PR {figures.vus_pr:.3f}"
        for name, figures in result.figures.items()
    )
