"""`anomgan demo` as a stranger runs it: it ends by itself or with Ctrl-C, its figures add up, nothing is left behind.

The two demos that train run side by side: each has one busy process at a time, and most machines have two cores.
"""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest
from playwright.sync_api import expect
from programs import Program
from servers import eventually, port_answers
from viewing import browsing, viewing

STARTS_S = 400.0
"""for recording and training, on a machine that has other things to do"""
PROMISED = """messages_published messages_received readings_scored true_events events_found false_alarms median_delay_s
train_seconds scores_stored events_stored dashboard_url dropped"""
SECONDS = 20


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that name the folder, where everything of a demo lies, its broker's files too."""
    lines = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(folder) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            lines.append(line)
    return lines


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., tuple[Program, Path]]]:
    """Start a demo in a folder of its own: (program, folder). Whatever still runs at the end is killed."""
    started: list[Program] = []

    def start(*options: str) -> tuple[Program, Path]:
        folder = tmp_path_factory.mktemp("demo")
        environment = {**os.environ, "TMPDIR": str(folder)}
        arguments = ["demo", "--headless", "--port", "0", "--report", str(folder / "report.json"), *options]
        started.append(Program(folder, [*arguments, "--folder", str(folder / "demo")], folder / "log", environment))
        return started[-1], folder

    yield start
    for program in started:
        if program.process.poll() is None:
            program.kill()


Started = tuple[Program, Path]


@pytest.fixture(scope="module")
def pair(start: Callable[..., Started]) -> tuple[Started, Started]:
    """One demo that ends by itself and one that does not, started together."""
    few = ("--steps", "150")
    return start("--seconds", str(SECONDS), "--seed", "0", *few), start("--seed", "1", *few)


def test_ctrl_c_while_training_ends_everything(start: Callable[..., Started]) -> None:
    program, folder = start()
    program.await_words("training on")
    program.await_words("step/s")
    assert program.end(signal.SIGINT) == 130
    assert "anomgan: interrupted" in program.said()
    assert processes_of(folder) == []
    assert not (folder / "report.json").exists()


@pytest.fixture(scope="module")
def report(pair: tuple[Started, Started]) -> dict[str, Any]:
    """The report of the demo that ends by itself."""
    program, folder = pair[0]
    program.await_words("live: ", STARTS_S)
    assert program.process.wait(SECONDS + STARTS_S) == 0, program.said()[-3000:]
    assert "Traceback" not in program.said()
    found: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    return found


def test_a_click_injects_a_fault_into_the_running_demo_and_it_is_found(pair: tuple[Started, Started]) -> None:
    """With the real broker, simulator, detector and page; two channels that change places nobody can overlook."""
    program, _ = pair[1]
    program.await_words("live: Ctrl-C ends it", STARTS_S)
    url = re.findall(r"dashboard: (http://127\.0\.0\.1:\d+)\n", program.said())[0]
    with browsing() as browser, viewing(browser, url) as tab:
        page = tab.see("/simulator")
        page.locator("#inject-device").select_option("pump-3", timeout=60_000)
        page.locator("#inject-kind").select_option("swapped_channels")
        page.locator("#inject-channel").select_option("flow")
        page.locator("#inject-channel-2").select_option("vibration")
        page.locator("#inject-lasts").fill("1000")
        page.get_by_role("button", name="Inject").click()
        entry = page.locator(".truth").filter(has_text="Swapped channels of pump-3").filter(has_text="injected")
        expect(entry.locator(".found a")).to_be_visible(timeout=120_000)
        entry.locator(".found a").click()
        expect(page.locator("h1")).to_contain_text("pump-3")
        expect(page.locator(".event-panel")).to_be_visible(timeout=60_000)
        tab.wrong = [said for said in tab.wrong if "503" not in said]  # before the simulator's first row


def test_ctrl_c_while_detecting_ends_everything_and_still_tells_the_figures(pair: tuple[Started, Started]) -> None:
    program, folder = pair[1]
    program.await_words("live: Ctrl-C ends it", STARTS_S)
    url = re.findall(r"dashboard: (http://127\.0\.0\.1:\d+)\n", program.said())[0]
    with urlopen(url, timeout=20.0) as page:  # noqa: S310 the demo's own page
        assert b"<html" in page.read()

    def heard() -> bool:
        with urlopen(f"{url}/api/fleet", timeout=20.0) as answer:  # noqa: S310 the same
            return len(json.load(answer)["devices"]) == 5

    eventually(heard, "all five devices are heard", 60.0)
    assert len(processes_of(folder)) >= 5  # itself, broker, simulator, detector, page
    assert program.end(signal.SIGINT) == 0
    assert processes_of(folder) == []
    assert not port_answers(int(url.rpartition(":")[2]))
    figures = json.loads((folder / "report.json").read_bytes())
    assert figures["messages_published"] == figures["messages_received"] > figures["messages_for_training"]
    assert f"messages: {figures['messages_published']} published" in program.said()


def test_the_report_has_every_figure_and_they_add_up(report: dict[str, Any]) -> None:
    assert report.keys() >= set(PROMISED.split())
    assert report["messages_published"] == report["messages_received"]
    live = report["messages_received"] - report["messages_for_training"]
    assert live == report["devices"] * SECONDS * report["speed"]
    assert live == report["readings_scored"] + report["readings_warming_up"] + sum(report["dropped"].values())
    assert report["scores_stored"] == report["readings_scored"] > 0  # every reading completes a window: stride 1
    assert report["dropped"] == {}
    assert report["false_alarms"] + report["events_found"] <= report["events_stored"]


def test_a_demo_that_ended_left_nothing(pair: tuple[Started, Started], report: dict[str, Any]) -> None:
    assert processes_of(pair[0][1]) == []
    assert not port_answers(int(report["dashboard_url"].rpartition(":")[2]))
