"""A viewer's click, all the way: page, broker, detector service, store, page."""

import signal
from contextlib import closing
from pathlib import Path

import pytest
from contract import normal_series, with_fault
from detector_program import pump_model, send, write_config
from playwright.sync_api import expect, sync_playwright
from programs import PATIENCE_S, Program, detecting
from servers import eventually, free_port, http_answers, require

from anomgan.adapters.mqtt import MqttPublisher
from anomgan.adapters.sqlite_read import open_reader
from anomgan.config import BrokerConfig
from anomgan_dashboard.screenshot import BROWSER_ARGUMENTS

__all__ = ["pump_model"]  # a fixture


def test_a_click_says_what_an_event_was_another_takes_it_back_and_a_third_mutes(
    tmp_path: Path, mosquitto: BrokerConfig, pump_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chromium = require("chromium")
    monkeypatch.setenv("PLANT_SECRET", "a secret of sixteen letters")
    write_config(tmp_path, mosquitto, pump_model, '[control]\nsecret_env = "PLANT_SECRET"')
    port = free_port()

    def closed() -> str:
        if not (tmp_path / "anomgan.db").exists():
            return ""
        with open_reader(tmp_path / "anomgan.db") as reader:
            found = reader.events(state="closed")
        return found[0].id if found else ""

    with detecting(tmp_path) as service, closing(MqttPublisher(mosquitto)) as publisher:
        send(publisher, with_fault(normal_series(200, seed=2), 100, 130))
        event_id = eventually(closed, "an event closes", PATIENCE_S)
        page_log = tmp_path / "dashboard.log"
        dashboard = Program(tmp_path, ["dashboard", "detector.toml", "--port", str(port)], page_log)
        try:
            url = f"http://127.0.0.1:{port}"
            eventually(lambda: http_answers(f"{url}/healthz"), "the page answers", PATIENCE_S)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_ARGUMENTS))
                page = browser.new_page()
                page.set_default_timeout(60_000)
                wrong: list[str] = []
                page.on("pageerror", lambda error: wrong.append(str(error)))
                page.goto(f"{url}/events")
                page.locator(".entry").first.click()
                page.get_by_role("button", name="False alarm").click()
                expect(page.locator(".feedback .said")).to_contain_text("such windows", timeout=60_000)
                expect(page.locator(".event-state")).to_contain_text("False alarm", timeout=60_000)
                with open_reader(tmp_path / "anomgan.db") as reader:
                    event = reader.event(event_id)
                    assert event is not None
                    assert (event.state, event.note) == ("false_alarm", "false alarm, says dashboard")
                page.get_by_role("button", name="Undo").click()
                expect(page.locator(".feedback .said")).to_have_text("Taken back.", timeout=60_000)
                expect(page.locator(".event-state")).to_contain_text("Closed", timeout=60_000)
                expect(page.get_by_role("button", name="Undo")).to_be_disabled(timeout=60_000)
                page.get_by_role("button", name="Mute").click()
                expect(page.locator(".said")).to_contain_text("Muted until", timeout=60_000)
                expect(page.locator(".mutes")).to_contain_text("This device muted until", timeout=60_000)
                page.get_by_role("button", name="End the mute").click()
                expect(page.locator(".mutes")).to_be_hidden(timeout=60_000)
                with open_reader(tmp_path / "anomgan.db") as reader:
                    told = [(entry.command, '"ended":1' in entry.effect) for entry in reader.audit(2)]
                assert told == [("mute", True), ("mute", False)]
                assert wrong == []
                browser.close()
            assert dashboard.end(signal.SIGINT) == 0
        finally:
            if dashboard.process.poll() is None:
                dashboard.kill()
        assert service.end() == 0
