"""What the status server answers: Prometheus metrics, and whether the service lives and is ready.

Counters are `anomgan_..._total`; what a counter's name has after its dot is the label `reason`, or `addressee` where it
is about letters. No label names a device or a site: there may be ten thousand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric

from anomgan.adapters.status_http import Page
from anomgan_detector.complaints import Seen
from anomgan_detector.pulse import BOUNDS_S, Figures

ALIVE_S = 60.0
"""a loop that has not come round for so long is not alive; a turn that waits for a store comes round all the time"""
JSON = "application/json"
BY_ADDRESSEE = {"delivery_failures", "quarantined"}


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known of the service at one time, in one piece."""

    seen: Seen
    figures: Figures
    uptime_s: float
    queued: int
    waiting: Mapping[str, int]
    journal_bytes: int
    journal_limit: int
    durations: tuple[int, ...]
    seconds: float
    wrong: tuple[str, ...]


class Metrics:
    """A prometheus_client collector over the newest report; its registry is nobody else's."""

    def __init__(self) -> None:
        self.report: Report | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def collect(self) -> Iterator[Metric]:
        """Every metric, from one report."""
        report = self.report
        if report is not None:
            yield from _counters(report.figures.counters)
            yield from _gauges(report)
            yield _turns(report)

    def answer(self, path: str, now_s: float) -> Page | None:
        """The page at a path."""
        if path == "/metrics":
            return Page(200, CONTENT_TYPE_LATEST, generate_latest(self._registry))
        if path == "/healthz":
            return _verdict("alive", not_alive(self.report, now_s))
        if path == "/readyz":
            return _verdict("ready", not_ready(self.report, now_s))
        return None


def not_alive(report: Report | None, now_s: float) -> list[str]:
    """Why the service is not alive; [] where it is."""
    if report is None:
        return ["it is starting"]
    if now_s - report.seen.now_s >= ALIVE_S:
        return [f"nobody has looked after it for {now_s - report.seen.now_s:.0f} s"]
    return [f"no turn for {report.seen.idle_s:.0f} s"] if report.seen.idle_s >= ALIVE_S else []


def not_ready(report: Report | None, now_s: float) -> list[str]:
    """Why the service cannot do its work; [] where it can."""
    reasons = not_alive(report, now_s)
    if report is None:
        return reasons
    seen = report.seen
    if not any(one.connected for one in seen.brokers):  # of several, one that is away stops no other
        reasons += [f"not connected: {one.reason}" for one in seen.brokers]
    if seen.store_since_s is not None:
        reasons.append(f"for {seen.now_s - seen.store_since_s:.0f} s nothing is stored: {seen.store_failure}")
    if seen.journal_share >= 1.0:
        reasons.append("the journal is full")
    return reasons


def _verdict(word: str, reasons: list[str]) -> Page:
    body = {"status": f"not {word}" if reasons else word, "reasons": reasons}
    return Page(503 if reasons else 200, JSON, orjson.dumps(body))


def _counters(counters: Mapping[str, int]) -> Iterator[Metric]:
    """`dropped.late` is anomgan_dropped_total{reason="late"}."""
    families: dict[str, dict[str, int]] = {}
    for name, count in counters.items():
        family, _, rest = name.partition(".")
        families.setdefault(family, {})[rest] = count
    for family, counts in sorted(families.items()):
        label = "addressee" if family in BY_ADDRESSEE else "reason"
        labels = [] if counts.keys() == {""} else [label]
        metric = CounterMetricFamily(
            f"anomgan_{family}", f"{family.replace('_', ' ')} since the state began", labels=labels
        )
        for rest, count in sorted(counts.items()):
            metric.add_metric([rest] if labels else [], count)
        yield metric


def _gauges(report: Report) -> Iterator[Metric]:
    seen = report.seen
    plain = {
        "up_seconds": ("time since the start", report.uptime_s),
        "connected": ("1 while messages can arrive from every broker", float(seen.connected)),
        "last_message_age_seconds": ("time since the last message, or since the connection", seen.silent_s),
        "queued_messages": ("messages between the network and the loop", report.queued),
        "journal_bytes": ("what waits for delivery, with what is in quarantine", report.journal_bytes),
        "journal_limit_bytes": ("at which nothing more is acknowledged", report.journal_limit),
        "store_failing": ("1 while a store or the journal fails", float(seen.store_since_s is not None)),
        "wrong": ("complaints about the service that are open", len(report.wrong)),
    }
    for name, (words, value) in plain.items():
        yield GaugeMetricFamily(f"anomgan_{name}", words, value=value)
    waiting = GaugeMetricFamily("anomgan_letters_waiting", "letters that wait for an addressee", labels=["addressee"])
    for addressee, count in sorted(report.waiting.items()):
        waiting.add_metric([addressee], count)
    yield waiting
    brokers = GaugeMetricFamily("anomgan_broker_connected", "1 while it can bring messages", labels=["broker"])
    for broker in seen.brokers:
        brokers.add_metric([broker.name], float(broker.connected))
    yield brokers
    devices = GaugeMetricFamily("anomgan_devices", "devices heard", labels=["fleet"])
    events = GaugeMetricFamily("anomgan_open_events", "events that are open", labels=["fleet"])
    models = GaugeMetricFamily("anomgan_model_info", "the model of each fleet", labels=["fleet", "model", "digest"])
    for number, fleet in enumerate(report.figures.fleets):
        devices.add_metric([str(number)], fleet.devices)
        events.add_metric([str(number)], fleet.open_events)
        models.add_metric([str(number), fleet.model, fleet.digest], 1)
    yield from (devices, events, models)


def _turns(report: Report) -> Metric:
    buckets, total = [], 0
    for bound, count in zip([*(f"{bound:g}" for bound in BOUNDS_S), "+Inf"], report.durations, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return HistogramMetricFamily(
        "anomgan_turn_seconds", "from a turn's messages to their acknowledgement", buckets, sum_value=report.seconds
    )
