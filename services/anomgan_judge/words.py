"""A judgement in words: a few lines and two tables, for a terminal while it goes on and for its end."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from textwrap import wrap

from anomgan.judging import AlarmRow, FaultRow, KindRow, Report, ToldEvent
from anomgan.shown import columns, one_line, printable

LISTED = 20
LONGEST = 240
ALARMS = ("DEVICES", "WATCHED", "FALSE ALARMS", "A DEVICE-WEEK, 95 %")
COLUMNS = ("FOUND", "RECALL, 95 %", "DELAY", "90 %", "TOLD", "90 %", "CHANNEL")


def summary(report: Report) -> Iterator[str]:
    """The figures over all kinds."""
    if report.now_s is None:
        yield "nothing heard yet"
        return
    total = report.total
    aside = _listed(
        (report.going_on, "going on"),
        (report.in_warm_up, "begun before the watch or in the warm-up"),
    )
    yield (
        f"{clock(report.now_s)}: {_count(total.faults, 'fault')} over{aside}; {_count(report.devices, 'device')} "
        f"{report.devices_from}, {weeks(report.device_weeks)}"
    )
    yield (
        f"recall {share(total.recall)} ({total.found} of {total.faults}), precision {share(report.precision)} "
        f"({report.hits} of {report.hits + len(report.false_alarms)} events), F1 {share(report.f1)}"
    )
    if total.found:
        late = f"delay {seconds(total.median_delay_s)} in the median, {seconds(total.p90_delay_s)} for 90 %"
        told = (
            ""
            if total.median_told_s is None
            else f"; told after {seconds(total.median_told_s)}, for 90 % after {seconds(total.p90_told_s)}"
        )
        already = f"; {total.already_open} by an event already open" if total.already_open else ""
        right = f"; first channel right in {total.named} of {total.nameable}" if total.nameable else ""
        yield late + told + right + already
    rate = "" if report.alarms_per_week is None else f", {number(report.alarms_per_week)} a device-week"
    low, high = report.alarms_per_week_low, report.alarms_per_week_high
    between = "" if low is None or high is None else f" (95 %: {number(low)} to {number(high)})"
    upset = sum(map(bool, report.during))
    extra = _listed(
        (upset, "during network incidents"),
        (report.repeats, "repeat" if report.repeats == 1 else "repeats"),
        (report.set_aside, "event set aside" if report.set_aside == 1 else "events set aside"),
        (report.muted, "muted"),
    )
    yield f"false alarms {len(report.false_alarms)}{rate}{between}{extra}"


def tables(report: Report) -> Iterator[str]:
    """By kind of fault and, where they are known, by kind of device; and the false alarms by that."""
    for name, rows in (("FAULT", report.kinds), ("DEVICE", report.device_kinds)):
        if rows:
            yield ""
            yield from _table((name, *COLUMNS), [_cells(row) for row in rows])
    if report.alarms_by_kind:
        yield ""
        yield from _table(("DEVICE", *ALARMS), [_alarm_cells(row) for row in report.alarms_by_kind])


def one_by_one(report: Report) -> Iterator[str]:
    """What was missed, and the false alarms; the first of each."""
    missed = [row for row in report.rows if not row.aside and row.event is None]
    false = [_alarm(event, during) for event, during in zip(report.false_alarms, report.during, strict=True)]
    for what, lines in (("missed", list(map(_fault, missed))), ("false alarm", false)):
        if lines:
            yield ""
        yield from (f"{what}: {line}" for line in lines[:LISTED])
        if len(lines) > LISTED:
            yield f"and {len(lines) - LISTED} more"


def unread(counters: Counter[str], samples: Mapping[str, str]) -> Iterator[str]:
    """What could not be read, and what was not looked at."""
    for name, count in sorted(counters.items()):
        if "." in name:
            said = f", first {samples[name]}" if name in samples else ", for the broker had kept them from before"
            yield f"note: not counted, {name.replace('.', ' ').replace('_', ' ')}: {count}{said}"


def live(report: Report, notes: Sequence[str], width: int, height: int) -> list[str]:
    """How it stands, for a terminal: sentences are broken where it is narrow, what is too high for it is counted."""
    broken = [[part for line in lines for part in _broken(line, width)] for lines in (summary(report), notes)]
    lines = [*broken[0], *tables(report), *broken[1]]
    over = len(lines) - height
    return lines if over <= 0 else [*lines[: height - 1], f"and {over + 1} more lines"]


def _broken(line: str, width: int) -> list[str]:
    return wrap(line, max(width, 20), subsequent_indent="    ", break_on_hyphens=False)


def brief(report: Report) -> str:
    """One line, for where no terminal is."""
    if report.now_s is None:
        return "nothing heard yet"
    total = report.total
    rate = "" if report.alarms_per_week is None else f" ({number(report.alarms_per_week)} a device-week)"
    return (
        f"{clock(report.now_s)}: found {total.found} of {total.faults} faults, {report.going_on} going on; precision "
        f"{share(report.precision)}; delay {seconds(total.median_delay_s)}; "
        f"{len(report.false_alarms)} false alarms{rate}"
    )


def _cells(row: KindRow) -> tuple[str, ...]:
    return (
        row.kind,
        f"{row.found} of {row.faults}",
        f"{share(row.recall)}  {row.recall_low:.2f} to {row.recall_high:.2f}",
        seconds(row.median_delay_s),
        seconds(row.p90_delay_s),
        seconds(row.median_told_s),
        seconds(row.p90_told_s),
        f"{row.named} of {row.nameable}" if row.nameable else "-",
    )


def _alarm_cells(row: AlarmRow) -> tuple[str, ...]:
    rate = "-"
    if row.a_week is not None and row.low is not None and row.high is not None:
        rate = f"{number(row.a_week)}  {number(row.low)} to {number(row.high)}"
    return (row.kind or "-", f"{row.devices:,}", weeks(row.device_weeks), f"{row.false_alarms:,}", rate)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(columns, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        first, *others = ((cell, " " * (width - columns(cell))) for cell, width in zip(row, widths, strict=True))
        yield "   ".join(["".join(first), *(blank + cell for cell, blank in others)]).rstrip()


def _fault(row: FaultRow) -> str:
    fault = row.fault
    which = f" of {one_line(', '.join(fault.channels), LONGEST)}" if fault.channels else ""
    return (
        f"{clock(fault.start_s)} to {clock(fault.end_s)[11:19]} {place(fault.site, fault.device)}: {fault.kind}{which}"
    )


def _alarm(event: ToldEvent, during: str) -> str:
    what = one_line(event.reason or ", ".join(event.channels), LONGEST)
    about = (f", during {during}" if during else "") + (f": {what}" if what else "")
    return f"{clock(event.start_s)} {place(event.site, event.device)}{about}"


def _listed(*counts: tuple[int, str]) -> str:
    said = [f"{count} {what}" for count, what in counts if count]
    return f"; {', '.join(said)}" if said else ""


def _count(number_of: int, what: str) -> str:
    return f"{number_of:,} {what}{'' if number_of == 1 else 's'}"


def place(site: str | None, device: str) -> str:
    """`north/pump-1`."""
    return printable(f"{site}/{device}" if site else device)


def clock(time_s: float) -> str:
    """`2024-01-01 01:06:41 UTC`."""
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def weeks(device_weeks: float) -> str:
    """`0.15 device-weeks`, or as device-hours where they are few."""
    return f"{device_weeks:.3g} device-weeks" if device_weeks >= 0.1 else f"{device_weeks * 168:.3g} device-hours"


def seconds(time_s: float | None) -> str:
    """`14 s`, `3.5 min`, `2.1 h`."""
    if time_s is None:
        return "-"
    if time_s < 120:
        return f"{time_s:.0f} s"
    return f"{time_s / 60:.1f} min" if time_s < 7200 else f"{time_s / 3600:.1f} h"


def share(value: float | None) -> str:
    """Two digits."""
    return "-" if value is None else f"{value:.2f}"


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
