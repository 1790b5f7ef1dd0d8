"""The summary as aligned text, and what it says in plain sentences."""

import math
from collections.abc import Mapping, Sequence

from anomgan_benchmark.detectors import PLAIN, REFERENCE
from anomgan_benchmark.hit_rate import LEVELS
from anomgan_benchmark.peers import Peers, standing
from anomgan_benchmark.summary import MAIN, METRICS, HitRate, Lead, Line, Metric, Summary, lead

LEGEND = (
    "Means over series, [95 % bootstrap interval], * = best of its column. events: share of the labelled events that",
    "an event overlaps at the alarm budget; false/1k: false alarms per 1,000 normal windows; fit s, score s: CPU",
    "seconds of a fit and of a test part. Nothing is point-adjusted; rows without a score count as least anomalous.",
)
MOST_PEERS = 5


def describe(summary: Summary, peers: Peers) -> str:
    """Every suite, the mean over suites, peers, channels and failures."""
    blocks = []
    for suite, lines in summary.suites.items():
        blocks.append([f"{suite}: {max(line.series for line in lines.values())} series", *_table(lines)])
        blocks[-1] += [*_told(lines, peers), *_channels(lines)]
    if len(summary.suites) > 1 and summary.overall:
        blocks.append([f"mean over {len(summary.suites)} suites", *_table(summary.overall)])
        blocks[-1] += _told(summary.overall, peers)
    if summary.errors:
        blocks.append([f"{len(summary.errors)} failed:", *(f"  {what}: {why}" for what, why in summary.errors.items())])
    return "\n\n".join("\n".join(lines) for lines in [*blocks, LEGEND])


def reference_of(lines: Mapping[str, Line]) -> Line | None:
    """The line that peers are held against: the GAN, or the first detector where it is not there."""
    return lines.get(REFERENCE, next(iter(lines.values()), None))


def beaten(lines: Mapping[str, Line]) -> list[Lead]:
    """The baselines whose mean VUS-PR is above the reference's on the series that both have, the best first."""
    if REFERENCE not in lines:
        return []
    of_reference = lines[REFERENCE].values[MAIN]
    leads = [lead(name, lines[name].values[MAIN], REFERENCE, of_reference) for name in PLAIN if name in lines]
    above = [one for one in leads if one is not None and one.difference.mean > 0]
    return sorted(above, key=lambda one: -one.difference.mean)


def _told(lines: Mapping[str, Line], peers: Peers) -> list[str]:
    """Who beats whom, in sentences, and the best peers."""
    told = [f"  ! {one.name} beats {one.over} here: {_against(one)}" for one in beaten(lines)]
    ours = reference_of(lines)
    if ours is None or not peers:
        return told
    found = standing(peers, ours)
    if found.best is None:
        told.append(f"    no peer has all {ours.series} series")
    else:
        ahead = found.best.difference.mean > 0
        which = f"the best peer on the same {ours.series} series, {found.best.name},"
        told.append(
            f"  {'!' if ahead else ' '} {which} {'beats' if ahead else 'is below'} {ours.name}: {_against(found.best)}"
        )
    told += [
        f"  ! peer {one.name} beats {ours.name} on the {one.series} series that it has: {_against(one)}"
        for one in found.ahead
    ]
    if found.whole:
        best = ", ".join(f"{one.name} {one.of_name:.3f}" for one in found.whole[:MOST_PEERS])
        more = len(found.whole) + len(found.part) - MOST_PEERS
        told.append(f"    peers: {best}" + (f", and {more} more in summary.csv" if more > 0 else ""))
    return told


def _against(one: Lead) -> str:
    gap = one.difference
    interval = "" if math.isnan(gap.low) else f" [{gap.low:+.3f}, {gap.high:+.3f}]"
    return f"VUS-PR {one.of_name:.3f} against {one.of_over:.3f}, difference {gap.mean:+.3f}{interval}"


# ---------------------------------------------------------------- aligned text


def _table(lines: Mapping[str, Line]) -> list[str]:
    """A heading and a row per detector; columns that say nothing are left out."""
    several, failed = any(len(line.by_seed) > 1 for line in lines.values()), any(line.failed for line in lines.values())
    rows = [["", "VUS-PR", "[95 %]", *(metric.heading for metric in METRICS[1:])]]
    rows[0] += ["± seeds"] * several + ["failed"] * failed
    marked = {metric.key: _best(lines, metric) for metric in METRICS}
    for line in lines.values():
        interval = line.means[MAIN]
        cells = [_cell(line, metric, marked) for metric in METRICS]
        ends = "-" if math.isnan(interval.low) else f"[{interval.low:.3f}, {interval.high:.3f}]"
        row = [line.name, cells[0], ends, *cells[1:]]
        spread = f"{line.seed_spread:.3f} ({len(line.by_seed)})" if len(line.by_seed) > 1 else "-"
        row += [spread] * several + [str(line.failed)] * failed
        rows.append(row)
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells as columns: the first to the left, numbers to the right with room for the mark of the best."""
    padded = [[row[0], *(cell if cell.endswith("*") else f"{cell} " for cell in row[1:])] for row in rows]
    widths = [max(len(row[c]) for row in padded) for c in range(len(rows[0]))]
    return [
        "  ".join(
            [f"  {row[0]:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in padded
    ]


def _best(lines: Mapping[str, Line], metric: Metric) -> str | None:
    """The text of the best value of a column; all that read so are the best. None where all read the same."""
    known = [line.means[metric.key].mean for line in lines.values() if not math.isnan(line.means[metric.key].mean)]
    if len({_number(mean, metric.digits) for mean in known}) < 2:
        return None
    return _number((max if metric.more_is_better else min)(known), metric.digits)


def _cell(line: Line, metric: Metric, best: Mapping[str, str | None]) -> str:
    text = _number(line.means[metric.key].mean, metric.digits)
    return f"{text}*" if text == best[metric.key] else text


def _channels(lines: Mapping[str, Line]) -> list[str]:
    """Hit rates, where channels are labelled and a detector tells them."""
    rows = [["channels named rightly", *(f"HitRate@{level}%" for level in LEVELS), "by chance", "segments"]]
    for line in lines.values():
        for which, hits in (("", line.hits), (", found segments", line.found_hits)):
            if hits is not None:
                rows.append([f"{line.name}{which}", *_hits(hits)])
    return _aligned(rows) if len(rows) > 1 else []


def _hits(hits: HitRate) -> list[str]:
    chance = " / ".join(_number(each, 3) for each in hits.chance)
    return [*(_number(rate, 3) for rate in hits.rates), chance, f"{hits.segments:.0f}"]


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"
