"""How soon the page stands, and what watching a plant costs: dashboard, detector and browser, each by itself.

The dashboard is `anomgan dashboard`, the browser Debian's Chromium without a screen, with an empty cache each time.
Loading counts from the start of the navigation to the first device, chart or fault in the document. Watching: a hundred
simulated pumps at 1 Hz over a broker into `anomgan detect`, with one viewer; CPU seconds per second of each program,
taken from the system. The browser draws with the CPU here, for want of a graphics card.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import pytest
import torch
from figures import table
from playwright.sync_api import Browser, sync_playwright

from anomgan.adapters.local_broker import LocalBroker
from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.sqlite_read import open_reader
from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.records import Verdict
from anomgan.simulate import parse_scenario, simulate
from anomgan_dashboard.screenshot import BROWSER_ARGUMENTS

CHROMIUM = "/usr/bin/chromium"
LOADS = 5
DEVICES, WARM, WATCHED_S = 100, 80, 30.0
PATIENCE_S = 300.0
FILLED = {
    "/": "tbody tr",
    "/?layout=tiles": ".tile",
    "/events": ".entry, .empty",
    "/device?device=d-1": ".chart canvas",
}
SINCE_START = """selector => new Promise((done) => {
  const look = () => (document.querySelector(selector) ? done(performance.now()) : requestAnimationFrame(look));
  look();
})"""
pytestmark = [pytest.mark.bench, pytest.mark.service]

SCENARIO = """
[broker]
host = "{host}"
port = {port}
[clock]
period_s = 1.0
day_s = 900
[[devices]]
kind = "pump"
name = "pump-"
count = {devices}
[output]
topic = "plant/{{device}}/telemetry"
"""
SERVICE = """
[broker]
host = "{host}"
port = {port}
client_id = "bench"
[input]
max_future_s = 1e9
[quality]
judge_clocks = false
[[fleets]]
model = "pump.safetensors"
topic = "plant/{{device}}/telemetry"
[store.sqlite]
path = "anomgan.db"
[dashboard]
port = 0
simulator = "simulate.toml"
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(BROWSER_ARGUMENTS))
        yield started
        started.close()


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`anomgan ...` in a folder, told to end with the block; what it says goes to a log."""
    with (folder / f"{arguments[0]}.log").open("w") as log:
        program = subprocess.Popen(
            [sys.executable, "-m", "anomgan_cli", *arguments], cwd=folder, stdout=log, stderr=log
        )
        try:
            yield program
        finally:
            program.terminate()
            program.wait(60)


def address(folder: Path, program: subprocess.Popen[str]) -> str:
    """Where the dashboard says that it is."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and program.poll() is None:
        said = (folder / "dashboard.log").read_text()
        if "on http" in said:
            return said.split("on ")[1].split(";")[0]
        time.sleep(0.05)
    raise AssertionError((folder / "dashboard.log").read_text())


def fill(path: Path, devices: int) -> None:
    """A store with a minute of that many devices, eight channels each."""
    names = tuple(f"c{c}" for c in range(8))
    dice = np.random.default_rng(0)
    store = SqliteStore(path)
    for first in range(0, devices, 100):
        verdicts = [
            Verdict(
                device=f"d-{device}", site="north", time_s=1.7e9 + row, surprise=float(dice.exponential()),
                threshold=3.5, anomalous=False, discriminator=0.5, reconstruction=0.5, pattern=0.5, channels=names,
                values=dice.normal(size=8).astype(np.float32), expected=np.zeros(8, np.float32),
                contribution=np.full(8, 0.125, np.float32), model="pump",
            )
            for device in range(first, min(first + 100, devices))
            for row in range(60)
        ]  # fmt: skip
        store.write(Batch(verdicts))
    store.close()


def load(browser: Browser, url: str, selector: str) -> tuple[float, float, float]:
    """Seconds until the document is read, until it shows something, and how long the page's main thread was busy."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto(url, wait_until="commit")
    shown_ms = page.evaluate(SINCE_START, selector)
    read_ms = page.evaluate("() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    busy_s = float(metrics["TaskDuration"])
    context.close()
    return read_ms / 1000, shown_ms / 1000, busy_s


def test_loading(browser: Browser, tmp_path: Path) -> None:
    rows = []
    for devices in (5, 5000):
        folder = tmp_path / str(devices)
        folder.mkdir()
        fill(folder / "anomgan.db", devices)
        (folder / "service.toml").write_text(SERVICE.format(host="localhost", port=1).replace('simulator = "', '# "'))
        with running(folder, "dashboard", "service.toml") as dashboard:
            url = address(folder, dashboard)
            for path, selector in FILLED.items():
                times = [
                    load(browser, url + path.replace("device=d", "site=north&device=d"), selector) for _ in range(LOADS)
                ]
                read, shown, busy = (sorted(column) for column in zip(*times, strict=True))
                rows.append(
                    [
                        f"{devices:,} devices, {path}",
                        f"{median(read):.2f}",
                        f"{median(shown):.2f}",
                        f"{shown[-1]:.2f}",
                        f"{median(busy):.2f}",
                    ]
                )
    header = ["cold cache, loopback", "document s", "filled s", "worst s", "page busy s"]
    table(f"Loading the page ({LOADS} times each; load of the machine {os.getloadavg()[0]:.1f})", header, rows)


def cpu(processes: Sequence[psutil.Process]) -> float:
    """CPU seconds of processes so far; one that has ended is left out."""
    total = 0.0
    for process in processes:
        if process.is_running():
            spent = process.cpu_times()
            total += spent.user + spent.system
    return total


def browsers() -> list[psutil.Process]:
    """Chromium's processes below this one."""
    return [child for child in psutil.Process().children(recursive=True) if "chrom" in child.name()]


def test_watching(browser: Browser, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    with LocalBroker() as broker:
        where = {"host": broker.config.host, "port": broker.config.port}
        (tmp_path / "simulate.toml").write_text(SCENARIO.format(**where, devices=DEVICES))
        (tmp_path / "service.toml").write_text(SERVICE.format(**where))
        document = {"clock": {"day_s": 900.0}, "output": {"topic": "plant/{device}/telemetry"}}
        learned = simulate(
            parse_scenario(document | {"devices": [{"kind": "pump", "name": "p", "count": 3}]}, "bench"), 0, 2000
        )
        Detector.fit(learned, DetectorConfig(steps=200, seed=0, device="cpu")).save(tmp_path / "pump.safetensors")
        with (
            running(tmp_path, "detect", "service.toml") as detect,
            running(tmp_path, "dashboard", "service.toml") as page,
        ):
            url = address(tmp_path, page)
            deadline = time.monotonic() + PATIENCE_S
            while "listening to" not in (tmp_path / "detect.log").read_text():
                assert time.monotonic() < deadline
                time.sleep(0.1)
            quick = [sys.executable, "-m", "anomgan_cli", "simulate", "simulate.toml", "--quiet"]
            subprocess.run(
                [*quick, "--rows", f":{WARM}", "--speed", "max"], cwd=tmp_path, check=True, timeout=PATIENCE_S
            )
            with running(
                tmp_path, "simulate", "simulate.toml", "--quiet", "--control", "--rows", f"{WARM}:", "--speed", "1"
            ) as plant:
                watch(browser, tmp_path, url, {"dashboard": page, "detector": detect, "simulator": plant})


def watch(browser: Browser, folder: Path, url: str, programs: dict[str, subprocess.Popen[str]]) -> None:
    """Look at one view after another, and print what it cost."""
    deadline = time.monotonic() + PATIENCE_S
    while readings(folder) < DEVICES * (WARM + 3):
        assert time.monotonic() < deadline, (folder / "detect.log").read_text()
        time.sleep(0.2)
    rows = []
    for path, selector in (
        ("", ""),
        ("/", "tbody tr"),
        ("/?layout=tiles", ".tile"),
        ("/device?device=pump-1", ".chart canvas"),
        ("/simulator", ".simulator:not([hidden])"),
    ):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        if path:
            tab = context.new_page()
            tab.goto(url + path)
            tab.wait_for_selector(selector)
        watched = {name: [psutil.Process(program.pid)] for name, program in programs.items()} | {"browser": browsers()}
        before, began, said = {name: cpu(those) for name, those in watched.items()}, time.monotonic(), readings(folder)
        time.sleep(WATCHED_S)  # what is measured is a stretch of time
        passed_s = time.monotonic() - began
        shares = {name: (cpu(those) - before[name]) / passed_s for name, those in watched.items()}
        rate = (readings(folder) - said) / passed_s
        context.close()
        rows.append([path or "nobody looks", f"{rate:.0f}", *(f"{100 * share:.1f} %" for share in shares.values())])
    header = [f"{DEVICES} devices at 1 Hz, viewer of", "readings/s", *(f"{name}" for name in (*programs, "browser"))]
    table(
        f"Watching, in shares of one core ({WATCHED_S:g} s each; load of the machine {os.getloadavg()[0]:.1f})",
        header,
        rows,
    )


def readings(folder: Path) -> int:
    """How many readings the service has dealt with."""
    if not (folder / "anomgan.db").exists():
        return 0
    with open_reader(folder / "anomgan.db") as reader:
        return reader.counters().get("readings_received", 0)
