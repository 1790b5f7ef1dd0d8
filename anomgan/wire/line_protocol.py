r"""Verdicts, events, health and counters -> InfluxDB line protocol, as text lines with timestamps in microseconds.

    anomaly_score,site=,device=,model=   surprise,p_value,threshold,discriminator,reconstruction,pattern,anomalous
    anomaly_channel,site=,device=,channel=   value,expected,contribution,expected_low,expected_high
    anomaly_event,site=,device=   id,state,severity,start,end,peak,peak_time,threshold,channels,reason,model,
                                 note,part_of
    device_health,site=,device=,model=   silent_s,skew_s,stuck,out_of_range,unit_jump,new_state,missing,duplicate,
                                         out_of_order,late,ahead,counter_resets,open,reasons
    device_issue,site=,device=,channel=,kind=,model=   id,state,start,end,reason
    anomgan_service   one integer field per counter

Tags are identity and nothing else, so that writing again overwrites: severity is a field, because an event may grow
from minor to major. What is unknown (NaN) is left out. A tag that is empty is left out too, as the protocol demands.
The last two of a channel, the edges of what is likely, are there where `expected` was imputed.
"""

import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from anomgan.errors import DataError
from anomgan.expected import Expected
from anomgan.records import HEALTH_COUNTS, DeviceHealth, Event, HealthIssue, Verdict

PRECISION_PER_SECOND = 1e6

_SPECIAL = re.compile(r"([,= ])")
_LINE_ENDS = re.compile(r"[\r\n]+")
_UNESCAPABLE = re.compile(r"\\+(?=[,= ]|$)")


@lru_cache(maxsize=65_536)
def escape_name(text: str) -> str:
    r"""A tag key, tag value or field key.

    The protocol has no way to write a line end in a name, nor a backslash before a comma, equals sign or space or at
    the end: line ends become spaces, such backslashes become slashes.
    """
    single_line = _LINE_ENDS.sub(" ", text)
    return _SPECIAL.sub(r"\\\1", _UNESCAPABLE.sub(lambda found: "/" * len(found[0]), single_line))


def quote(text: str) -> str:
    """A string field value; line ends become spaces, because not every server reads them inside quotes."""
    escaped = _LINE_ENDS.sub(" ", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def score_line(verdict: Verdict) -> str:
    """The `anomaly_score` line of a verdict, "" where the verdict is unknown; DataError for an infinite surprise."""
    surprise = verdict.surprise
    if surprise != surprise:
        return ""
    if math.isinf(surprise):
        raise DataError(f"device {verdict.device!r} at {verdict.time_s}: the surprise is infinite")
    numbers = _fields(
        ("surprise", surprise),
        ("p_value", 10.0**-surprise),
        ("threshold", verdict.threshold),
        ("discriminator", verdict.discriminator),
        ("reconstruction", verdict.reconstruction),
        ("pattern", verdict.pattern),
    )
    series = f"anomaly_score{_identity(verdict.site, verdict.device)}{_tag('model', verdict.model)}"
    return f"{series} {numbers},anomalous={'true' if verdict.anomalous else 'false'} {_stamp(verdict.time_s)}"


def channel_lines(verdict: Verdict) -> list[str]:
    """The `anomaly_channel` lines of a verdict: one per channel about which something is known."""
    stamp, identity = _stamp(verdict.time_s), _identity(verdict.site, verdict.device)
    rows = zip(
        verdict.channels, verdict.values.tolist(), verdict.expected.tolist(), verdict.contribution.tolist(), strict=True
    )
    lines = []
    for channel, *numbers in rows:
        fields = ",".join(
            f"{name}={number:.7g}"  # float32 has no more digits
            for name, number in zip(("value", "expected", "contribution"), numbers, strict=True)
            if math.isfinite(number)
        )
        if fields:
            lines.append(f"anomaly_channel{identity}{_tag('channel', channel)} {fields} {stamp}")
    return lines


def expected_lines(expected: Expected) -> list[str]:
    """The `anomaly_channel` lines of what was imputed: they take the place of what the detector expected."""
    identity = _identity(expected.site, expected.device)
    lines = []
    for c, channel in enumerate(expected.channels):
        series = f"anomaly_channel{identity}{_tag('channel', channel)}"
        columns = (expected.times, expected.middle[:, c], expected.low[:, c], expected.high[:, c])
        for time_s, middle, low, high in zip(*(column.tolist() for column in columns), strict=True):
            fields = f"expected={middle:.7g},expected_low={low:.7g},expected_high={high:.7g}"
            lines.append(f"{series} {fields} {_stamp(time_s)}")
    return lines


def event_line(event: Event) -> str:
    """The `anomaly_event` line of an event, stamped with its start, so that every later telling overwrites it."""
    texts = (
        f"id={quote(event.id)},state={quote(event.state)},severity={quote(event.severity)}"
        f",channels={quote(','.join(event.channels))},reason={quote(event.reason)},model={quote(event.model)}"
        f",note={quote(event.note)},part_of={quote(event.part_of)}"  # always, for an event may lose them again
    )
    numbers = _fields(
        ("start", event.start_s),
        ("end", event.end_s),
        ("peak", event.peak),
        ("peak_time", event.peak_s),
        ("threshold", event.threshold),
    )
    return f"anomaly_event{_identity(event.site, event.device)} {texts},{numbers} {_stamp(event.start_s)}"


def health_line(health: DeviceHealth) -> str:
    """The `device_health` line of a device; `open` counts what is wrong, `reasons` says it."""
    numbers = _fields(("silent_s", health.silent_s), ("skew_s", health.skew_s))
    counts = ",".join(f"{name}={getattr(health, name):d}i" for name in HEALTH_COUNTS)
    reasons = quote("; ".join(issue.reason for issue in health.issues))
    fields = ",".join(part for part in (numbers, counts, f"open={len(health.issues)}i", f"reasons={reasons}") if part)
    series = f"device_health{_identity(health.site, health.device)}{_tag('model', health.model)}"
    return f"{series} {fields} {_stamp(health.time_s)}"


def issue_line(issue: HealthIssue) -> str:
    """The `device_issue` line of an issue, stamped with its start, so that every later telling overwrites it."""
    tags = _tag("channel", issue.channel) + _tag("kind", issue.kind) + _tag("model", issue.model)
    fields = f"id={quote(issue.id)},state={quote(issue.state)},reason={quote(issue.reason)}"
    numbers = _fields(("start", issue.start_s), ("end", issue.end_s))
    return f"device_issue{_identity(issue.site, issue.device)}{tags} {fields},{numbers} {_stamp(issue.start_s)}"


def counter_line(counters: Mapping[str, int], time_s: float) -> str:
    """The `anomgan_service` line, "" where there are no counters."""
    fields = ",".join(f"{escape_name(name)}={count:d}i" for name, count in counters.items())
    return f"anomgan_service {fields} {_stamp(time_s)}" if fields else ""


def verdict_lines(verdicts: Iterable[Verdict], with_channels: Iterable[tuple[str, str]] = ()) -> list[str]:
    """All lines of some verdicts; channels only where a verdict is anomalous or its source is in `with_channels`."""
    sources = frozenset(with_channels)
    lines = []
    for verdict in verdicts:
        line = score_line(verdict)
        if not line:
            continue
        lines.append(line)
        if verdict.anomalous or (verdict.site, verdict.device) in sources:
            lines += channel_lines(verdict)
    return lines


def _fields(*fields: tuple[str, float]) -> str:
    """Numbers as fields, those that are not finite left out; float() because numpy's own repr is not a number."""
    return ",".join([f"{name}={float(value)!r}" for name, value in fields if math.isfinite(value)])


@lru_cache(maxsize=65_536)
def _identity(site: str, device: str) -> str:
    return _tag("site", site) + _tag("device", device)


def _tag(key: str, value: str) -> str:
    return f",{key}={escape_name(value)}" if value else ""


def _stamp(time_s: float) -> int:
    return round(time_s * PRECISION_PER_SECOND)
