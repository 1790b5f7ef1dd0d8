"""The demo's stages, one after another: normal data, training, live detection, report."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anomgan.adapters.files import write_bytes
from anomgan.adapters.local_broker import LocalBroker
from anomgan.adapters.mqtt import MqttSource
from anomgan.adapters.signals import stopping
from anomgan.adapters.sqlite_read import open_reader
from anomgan.config import BrokerConfig, DetectorConfig
from anomgan.detector import Detector
from anomgan.errors import AnomganError, Unreachable
from anomgan.records import Source, TimeSeries
from anomgan.simulate import KINDS
from anomgan.wire.dialects import Decoder
from anomgan.wire.payload_format import PayloadFormat
from anomgan.wire.topics import parse_template
from anomgan_cli.terminal import say
from anomgan_dashboard.serve import listen
from anomgan_demo.children import child, require_running
from anomgan_demo.collect import collect, published_count
from anomgan_demo.files import DAY_S, MODELS, Folder, write_detector, write_simulator
from anomgan_demo.report import describe_report, make_report

NORMAL_ROWS = 6000
SPEED = 20.0
TOPIC = "plant/{site}/{device}/telemetry"
START_S = 60.0
DRAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line says. seconds = of detection, None = until Ctrl-C."""

    seconds: float | None
    seed: int
    steps: int
    port: int
    folder: Path
    report: Path | None
    open_page: Callable[[str], object]


def run(options: DemoOptions) -> dict[str, Any]:
    """All stages; the report. Ctrl-C before detection raises KeyboardInterrupt, after that it ends with the report."""
    folder = Folder(options.folder.resolve())
    folder.prepare()
    live_rows = None if options.seconds is None else max(1, round(options.seconds * SPEED))
    # At the beginning of a simulated day, so that equal seeds give equal data whenever the demo runs.
    began = (datetime.now(UTC).timestamp() - NORMAL_ROWS) // DAY_S * DAY_S
    start = datetime.fromtimestamp(began, UTC)
    with ExitStack() as stack:
        broker = stack.enter_context(LocalBroker())
        write_simulator(
            folder,
            broker.config,
            start=start.isoformat(),
            seed=options.seed,
            speed=SPEED,
            normal_rows=NORMAL_ROWS,
            live_rows=live_rows,
        )
        say(f"broker: {broker.name} on {broker.config.host}:{broker.config.port}")

        # ---- normal data
        collected, series = record_normal(folder, broker.config)
        say(f"{collected} messages of normal data from {len(series)} devices")

        # ---- training
        began_s = time.monotonic()
        train(folder, series, options)
        train_seconds = time.monotonic() - began_s
        say(f"trained {len(MODELS)} models in {train_seconds:.0f} s")

        # ---- live
        port = free_port(options.port)
        write_detector(folder, broker.config, port)
        stop = stack.enter_context(stopping())
        page = stack.enter_context(child(["dashboard", str(folder.detector)], folder.log("dashboard")))
        detector = stack.enter_context(child(["detect", str(folder.detector)], folder.log("detect")))
        await_online(broker.config, lambda: require_running(detector, page))
        url = f"http://127.0.0.1:{port}"
        say(f"dashboard: {url}")
        options.open_page(url)
        rows = ["--rows", f"{NORMAL_ROWS}:"]
        files = ["--truth", str(folder.truth), "--summary", str(folder.summary("live"))]
        arguments = ["simulate", str(folder.simulator), *rows, *files, "--control", "--quiet"]
        simulator = stack.enter_context(child(arguments, folder.log("simulate")))
        say("live: " + ("Ctrl-C ends it" if options.seconds is None else f"{options.seconds:g} seconds"))
        told = EventLines(folder)
        while simulator.running and not stop.wait(0.2):
            require_running(detector, page)
            told.show()
        if simulator.end() != 0 and not stop.is_set():
            raise AnomganError(f"the simulator failed; see {folder.log('simulate')}")
        published = {stretch: published_count(folder.summary(stretch)) or 0 for stretch in ("normal", "live")}
        drain(folder, published["live"], lambda: require_running(detector))
        detector.end()
        told.show()

        # ---- report
        facts = {
            "train_seconds": round(train_seconds, 2),
            "dashboard_url": url,
            "seed": options.seed,
            "speed": SPEED,
            "broker": broker.name,
            "devices": len(series),
        }
        report = make_report(folder.store, folder.truth, published, collected, facts)
    say(describe_report(report))
    if options.report is not None:
        write_bytes(options.report, json.dumps(report, indent=2).encode() + b"\n")
    return report


def record_normal(folder: Folder, broker: BrokerConfig) -> tuple[int, dict[Source, TimeSeries]]:
    """Let the devices publish their normal stretch as fast as the broker takes it, and listen."""
    decoder = Decoder(PayloadFormat(parse_template(TOPIC), max_future_s=1e9))
    source = MqttSource(broker, [(decoder.form.template.filter, 1)])
    summary = folder.summary("normal")
    arguments = ["simulate", str(folder.simulator), "--rows", f":{NORMAL_ROWS}", "--speed", "max"]
    arguments += ["--summary", str(summary), "--quiet"]
    try:
        with child(arguments, folder.log("simulate")) as simulator:

            def published() -> int | None:
                count = published_count(summary)
                if count is None and not simulator.running and published_count(summary) is None:
                    raise AnomganError(f"the simulator failed; see {folder.log('simulate')}")
                return count

            return collect(source, decoder, published)
    finally:
        source.close()


def train(folder: Folder, series: dict[Source, TimeSeries], options: DemoOptions) -> None:
    """One model per kind of device, each from all devices of that kind."""
    for kind, shape in MODELS.items():
        theirs = [one for (_, device), one in series.items() if device.startswith(shape.rstrip("*"))]
        say(f"training on {len(theirs)} devices of kind {kind}, {len(theirs[0].channels)} channels")
        units = tuple(channel.unit for channel in KINDS[kind].channels)  # the messages do not carry them
        theirs = [replace(one, units=units) for one in theirs]
        detector = Detector.fit(theirs, DetectorConfig(stride=1, steps=options.steps, seed=options.seed), progress=True)
        if detector.summary["stopped"] == "interrupted":
            raise KeyboardInterrupt  # a training that is told to end keeps its best; a demo ends
        detector.save(folder.model(kind))


def await_online(broker: BrokerConfig, check: Callable[[], None]) -> None:
    """Wait for the detector's retained `online`; Unreachable after START_S."""
    source = MqttSource(broker, [("anomgan/status", 1)])
    try:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            check()
            messages = source.receive(10, 0.1)
            source.acknowledge(messages)
            if any(message.payload == b"online" for message in messages):
                return
        raise Unreachable(f"the detector was not online within {START_S:g} s")
    finally:
        source.close()


def drain(folder: Folder, published: int, check: Callable[[], None]) -> None:
    """Wait until the store says that all that was published has been dealt with."""
    deadline = time.monotonic() + DRAIN_S
    while time.monotonic() < deadline:
        check()
        with open_reader(folder.store) as reader:
            if reader.counters().get("messages_received", 0) >= published:
                return
        time.sleep(0.1)


class EventLines:
    """The detector's lines about events, shown as they come."""

    def __init__(self, folder: Folder) -> None:
        self._path = folder.log("detect")
        self._at = 0

    def show(self) -> None:
        """Print what was written since the last call, in whole lines."""
        with self._path.open("rb") as log:
            log.seek(self._at)
            lines, newline, _ = log.read().rpartition(b"\n")
        self._at += len(lines) + len(newline)
        for line in lines.decode(errors="replace").splitlines():
            if " INFO " not in line and "messages_received" not in line:
                say(line)


def free_port(wanted: int) -> int:
    """The wanted port where it is free, else another one."""
    try:
        probe = listen("127.0.0.1", wanted)
    except AnomganError:
        probe = listen("127.0.0.1", 0)
        say(f"port {wanted} is taken")
    with probe:
        return int(probe.getsockname()[1])
