"""The README's pictures, from a real run: `python tests/pictures.py` (`make screenshots`).

Starts the demo, injects a fault through the page as a viewer would, waits until the detector has found it, and takes
every view that there is in light, in dark and on a phone. All go to a folder to be looked at; those that the README
shows go to `.github` too, with fewer colours, for size. Needs the package playwright (extra `test`) and chromium.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click

from anomgan.errors import AnomganError, ServerError
from anomgan_cli.terminal import say
from anomgan_dashboard.screenshot import BROWSER_ARGUMENTS, find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Answer = TypeVar("Answer")
STARTS_S, FOUND_S, SHOWN_S = 900.0, 180.0, 60.0
FAULT: Mapping[str, str] = {"kind": "blockage", "lasts": "3000"}
"""what goes into the form, for a pump that is well; long enough to be there in every picture"""
SILENT = 503
LEAST_OVER = 3
"""faults that the simulator's page shall show beside it"""
VIEWS: Mapping[str, tuple[str, str]] = {
    "fleet": ("/", "tbody tr"),
    "tiles": ("/?layout=tiles", ".tile"),
    "events": ("/events", ".entry"),
    "device": ("/device?site={site}&device={device}&last=1800", ".chart canvas"),
    "device-event": ("/device?site={site}&device={device}&event={event}", ".chart canvas"),
    "event": ("/event?id={event}", ".chart canvas, .card"),
    "models": ("/models", ".chart canvas, .card"),
    "model": ("/models?model={model}", ".chart canvas, .card"),
    "simulator": ("/simulator", ".truth"),
}
"""name -> address, and what is there once it is drawn; an address that the dashboard does not know is left out"""
LOOKS: Mapping[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 375, "height": 812}, "color_scheme": "light", "device_scale_factor": 2},
}
README: Mapping[str, str] = {
    "device-event-light": "dashboard",
    "event-light": "event",
    "simulator-light": "simulator",
    "tiles-dark": "fleet",
}
"""picture -> its name in `.github`"""
COLOURS, KMEANS = 256, 3


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo/pictures"), show_default=True)
@click.option("--github", type=click.Path(path_type=Path), default=Path(".github"), show_default=True)
@click.option("--url", default=None, help="Of a demo that runs already.")
def main(out: Path, github: Path, url: str | None) -> None:
    """Take pictures of a running demo: all views to OUT, the README's to .github."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if url is not None:
            take_all(url, out)
        else:
            with demo(out.parent / "pictured") as started:
                take_all(started, out)
        for name, shown in README.items():
            shrink(out / f"{name}.png", github / f"{shown}.png")
    except AnomganError as error:
        say(error, err=True)
        raise SystemExit(2) from None


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """A demo in a folder of its own: its address, once devices are live."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "demo.log"
    command = [sys.executable, "-m", "anomgan_cli", "demo", "--headless", "--port", "0", "--folder", str(folder)]
    with log.open("wb") as said:
        program = subprocess.Popen(command, stdout=said, stderr=said, env=os.environ)
    try:

        def address() -> str:
            if program.poll() is not None:
                raise ServerError(f"pictures: the demo ended; see {log}")
            text = log.read_text(errors="replace")
            found = re.search(r"dashboard: (http://\S+)", text)
            return found[1] if found and "live: " in text else ""

        yield await_answer(address, "the demo is live", STARTS_S)
    finally:
        program.terminate()
        program.wait(60)


def take_all(url: str, out: Path) -> None:
    """Inject, wait, and take every view in every look."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise ServerError("pictures: the Python package playwright is not installed (extra `test`)") from None
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(BROWSER_ARGUMENTS))
            await_answer(lambda: over(url) >= LEAST_OVER, "some faults are over", FOUND_S)
            device = await_answer(lambda: healthy(url), "a pump is well", FOUND_S)
            number = inject(browser, url, device)
            fault = await_answer(lambda: found(url, number), "the fault is found", FOUND_S)
            names = {"site": fault["site"], "device": fault["device"], "event": fault["event"]["id"]}
            names["model"] = next(one["model"] for one in ask(url, "fleet")["devices"] if one["device"] == device)
            for view, (template, drawn) in VIEWS.items():
                address = url + template.format(**{key: quote(value) for key, value in names.items()})
                if not known(address):
                    say(f"no view {view}")
                    continue
                for look, how in LOOKS.items():
                    page = browser.new_page(timezone_id="UTC", reduced_motion="reduce", **how)
                    show(page, address, drawn)
                    page.screenshot(path=out / f"{view}-{look}.png")
                    page.close()
                    say(out / f"{view}-{look}.png")
            browser.close()
    except Error as error:
        raise ServerError(f"pictures: {error.message.splitlines()[0]}") from None


def healthy(url: str) -> str:
    """A pump that is normal and that nothing is wrong with; "" where there is none yet."""
    devices, simulator = ask(url, "fleet")["devices"], ask(url, "simulator")
    if not simulator:
        return ""
    failing = {fault["device"] for fault in simulator["faults"] if fault["end_s"] > simulator["time_s"]}
    well = (one["device"] for one in devices if one["state"] == "normal" and one["device"] not in failing)
    return next((name for name in well if name.startswith("pump-")), "")


def inject(browser: "Browser", url: str, device: str) -> int:
    """Fill in the form and click; the number of the fault that begins."""
    page = browser.new_page()
    page.goto(f"{url}/simulator")
    page.locator("#inject-device").select_option(device, timeout=1000 * SHOWN_S)
    page.locator("#inject-kind").select_option(FAULT["kind"])
    page.locator("#inject-lasts").fill(FAULT["lasts"])
    with page.expect_response("**/api/simulator/inject") as answer:
        page.get_by_role("button", name="Inject").click()
    number: int = answer.value.json()["fault"]["number"]
    page.close()
    return number


def show(page: "Page", address: str, drawn: str) -> None:
    """Go there and wait until it has drawn all it will."""
    page.goto(address)
    page.locator(drawn).first.wait_for(timeout=1000 * SHOWN_S)
    page.evaluate("() => new Promise((drawn) => setTimeout(() => requestAnimationFrame(drawn), 1500))")


def found(url: str, number: int) -> dict[str, Any]:
    """The fault, once an event of its own has been told; {} before."""
    faults = [one for one in ask(url, "simulator").get("faults", ()) if one["number"] == number]
    return faults[0] if faults and faults[0]["event"] is not None else {}


def over(url: str) -> int:
    """How many faults are over."""
    answer = ask(url, "simulator")
    return sum(one["end_s"] <= answer["time_s"] for one in answer.get("faults", ()))


def known(address: str) -> bool:
    """Whether the dashboard has such a page."""
    try:
        with urllib.request.urlopen(address, timeout=SHOWN_S) as page:  # noqa: S310 our own server
            return page.status == 200  # type: ignore[no-any-return]
    except urllib.error.HTTPError:
        return False


def ask(url: str, question: str) -> dict[str, Any]:
    """An answer of the API, {} where who has to give it is not there yet."""
    try:
        with urllib.request.urlopen(f"{url}/api/{question}", timeout=SHOWN_S) as answer:  # noqa: S310 our own server
            told: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code != SILENT:
            raise ServerError(f"pictures: {url}/api/{question}: {error}") from None
        return {}
    return told


def await_answer(question: Callable[[], Answer], what: str, patience_s: float) -> Answer:
    """The first true answer; ServerError where none comes in time."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(0.5)
    raise ServerError(f"pictures: not within {patience_s:g} s: {what}")


def shrink(picture: Path, to: Path) -> None:
    """The same picture with few colours, a fraction of the bytes; a dot keeps its own as an area does."""
    from PIL import Image

    if picture.exists():
        with Image.open(picture) as image:
            few = image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, KMEANS, dither=Image.Dither.NONE)
            few.save(to, optimize=True)


if __name__ == "__main__":
    main()
