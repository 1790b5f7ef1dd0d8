"""The figures for programs: results.csv, a row per series; summary.csv, a row per suite and detector; summary.json."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from anomgan_benchmark.hit_rate import LEVELS
from anomgan_benchmark.peers import Peers, Standing, standing
from anomgan_benchmark.protocol import Figures
from anomgan_benchmark.results import Result
from anomgan_benchmark.summary import METRICS, HitRate, Line, Summary
from anomgan_benchmark.table import beaten, reference_of

OVERALL = "mean over suites"


def results_csv(results: Sequence[Result]) -> bytes:
    """A row per series and detector; the seconds of a fit that several series share stand in its first row."""
    columns = [field.name for field in fields(Figures) if field.name != "hits"]
    rows: list[dict[str, Any]] = []
    stated = set()
    for result in results:
        of = {"suite": result.key.suite, "series": result.key.series, "seed": result.key.seed}
        more = {"settings": result.key.settings, "version": result.key.version, "error": result.error}
        if result.error:
            rows.append({**of, "detector": result.key.detector, **more})
        for name, figures in result.figures.items():
            row = {**of, "detector": name, **{column: getattr(figures, column) for column in columns}, **more}
            fit = (result.key.suite, result.training, name, result.key.seed)
            if fit in stated:
                row["fit_s"] = None
            stated.add(fit)
            rows.append(row)
    return _csv(["suite", "series", "detector", "seed", *columns, "settings", "version", "error"], rows)


def summary_csv(summary: Summary, peers: Peers) -> bytes:
    """A row per suite and detector, those over all suites and the peers' after them."""
    rows = []
    metrics = [metric.key for metric in METRICS]
    ends = [f"{key}{end}" for key in metrics for end in ("", "_low", "_high")]
    hits = [f"{kind}hit_rate_{level}{of}" for kind in ("", "found_") for level in LEVELS for of in ("", "_by_chance")]
    for suite, lines in _all(summary):
        for line in lines.values():
            means = {f"{key}{end}": value for key, mean in line.means.items() for end, value in _ends(asdict(mean))}
            rows.append(
                {"suite": suite, "detector": line.name, "kind": "detector", "series": line.series}
                | {"failed": line.failed, "seeds": len(line.by_seed), "seed_spread": line.seed_spread}
                | means
                | _hit_columns("", line.hits)
                | _hit_columns("found_", line.found_hits)
            )
        found = _standing(lines, peers)
        rows += [
            {"suite": suite, "detector": one.name, "kind": "peer", "series": one.series, "vus_pr": one.of_name}
            for one in ((*found.whole, *found.part) if found is not None else ())
        ]
    return _csv(["suite", "detector", "kind", "series", "failed", "seeds", "seed_spread", *ends, *hits], rows)


def summary_json(summary: Summary, peers: Peers, facts: Mapping[str, Any]) -> bytes:
    """Everything in the table, and `facts` about the run."""
    suites = {}
    for suite, lines in _all(summary):
        found = _standing(lines, peers)
        suites[suite] = {
            "detectors": {name: _line(line) for name, line in lines.items()},
            "baselines_ahead": [asdict(one) for one in beaten(lines)],
            "peers": None if found is None else asdict(found),
        }
    over_all = suites.pop(OVERALL, None)
    document = {**facts, "suites": suites, "mean_over_suites": over_all, "failed": summary.errors}
    return (json.dumps(_defined(document), indent=2, allow_nan=False) + "\n").encode()


def _all(summary: Summary) -> list[tuple[str, Mapping[str, Line]]]:
    return [*summary.suites.items(), *([(OVERALL, summary.overall)] if len(summary.suites) > 1 else [])]


def _standing(lines: Mapping[str, Line], peers: Peers) -> Standing | None:
    ours = reference_of(lines)
    return standing(peers, ours) if ours is not None and peers else None


def _line(line: Line) -> dict[str, Any]:
    return {
        "series": line.series,
        "failed": line.failed,
        "by_seed": {str(seed): value for seed, value in line.by_seed.items()},
        "seed_spread": line.seed_spread,
        "means": {key: asdict(mean) for key, mean in line.means.items()},
        "hit_rate": _hit_rate(line.hits),
        "hit_rate_of_found": _hit_rate(line.found_hits),
    }


def _hit_rate(hits: HitRate | None) -> dict[str, Any] | None:
    if hits is None:
        return None
    levels = [str(level) for level in LEVELS]
    return {
        "segments": hits.segments,
        "at": dict(zip(levels, hits.rates, strict=True)),
        "by_chance": dict(zip(levels, hits.chance, strict=True)),
    }


def _hit_columns(kind: str, hits: HitRate | None) -> dict[str, float]:
    if hits is None:
        return {}
    pairs = zip(LEVELS, hits.rates, hits.chance, strict=True)
    return {
        name: value
        for level, rate, chance in pairs
        for name, value in (
            (f"{kind}hit_rate_{level}", rate),
            (f"{kind}hit_rate_{level}_by_chance", chance),
        )
    }


def _ends(mean: Mapping[str, float]) -> list[tuple[str, float]]:
    return [("", mean["mean"]), ("_low", mean["low"]), ("_high", mean["high"])]


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if _undefined(value) else value for key, value in row.items()} for row in rows)
    return buffer.getvalue().encode()


def _undefined(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _defined(value: Any) -> Any:
    """The same with None for NaN, and keys as text."""
    if isinstance(value, Mapping):
        return {key: _defined(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(entry) for entry in value]
    return None if _undefined(value) else value
