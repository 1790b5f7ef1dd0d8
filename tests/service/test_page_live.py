"""The whole way to the eye: MQTT, the detector, its store, the page; and a detector that comes and goes."""

import signal
from contextlib import closing
from pathlib import Path

import pytest
from contract import normal_series, with_fault
from detector_program import pump_model, send, write_config
from playwright.sync_api import expect
from programs import PATIENCE_S, Program, detecting
from servers import eventually, free_port, http_answers
from viewing import browsing, viewing

from anomgan.adapters.mqtt import MqttPublisher
from anomgan.adapters.sqlite_read import open_reader
from anomgan.config import BrokerConfig

__all__ = ["pump_model"]  # a fixture
TOKEN = "correct horse battery staple"  # noqa: S105 made up
PATIENCE_MS = 1000 * PATIENCE_S


def test_a_fault_sent_over_mqtt_appears_and_the_page_outlives_its_detector(
    tmp_path: Path, mosquitto: BrokerConfig, pump_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a token, which actions need too; a click on "false alarm" changes the store; nothing is loaded again."""
    monkeypatch.setenv("ANOMGAN_DASHBOARD_TOKEN", TOKEN)
    write_config(tmp_path, mosquitto, pump_model, '[control]\nauthentication = "broker"')
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    dashboard = Program(tmp_path, ["dashboard", "detector.toml", "--port", str(port)], tmp_path / "dashboard.log")
    try:
        eventually(lambda: http_answers(f"{url}/healthz"), "the page answers", PATIENCE_S)
        with closing(MqttPublisher(mosquitto)) as publisher, browsing() as browser, viewing(browser, url) as tab:
            page = tab.see("/")
            page.get_by_label("Access token").fill(TOKEN)
            page.get_by_role("button", name="Log in").click()
            expect(page.locator("main")).to_contain_text("Waiting for the first readings")
            page.evaluate("window.sameDocument = true")
            with detecting(tmp_path) as service:
                send(publisher, with_fault(normal_series(200, seed=2), 100, 130))
                expect(page.locator("tbody tr")).to_have_count(1, timeout=PATIENCE_MS)
                page.get_by_role("link", name="Events", exact=True).click()
                expect(page.locator(".entry").first).to_be_visible(timeout=PATIENCE_MS)
                page.locator(".entry").first.click()
                page.get_by_role("button", name="False alarm").click()
                expect(page.locator(".event-state")).to_contain_text("False alarm", timeout=PATIENCE_MS)
                with open_reader(tmp_path / "anomgan.db") as reader:
                    assert [event.state for event in reader.events()].count("false_alarm") == 1
                assert service.end(signal.SIGINT) == 0
            page.get_by_role("link", name="Fleet", exact=True).first.click()
            expect(page.locator("tbody tr")).to_have_count(1)

            def course() -> str | None:
                return page.locator(".spark path").first.get_attribute("d")

            before = course()
            with detecting(tmp_path) as service:
                send(publisher, normal_series(400, seed=2)[200:])
                eventually(lambda: course() != before, "the page goes on", PATIENCE_S)
                assert service.end() == 0
            assert page.evaluate("window.sameDocument")
            without = browser.new_context().request.post(
                f"{url}/api/feedback",
                data='{"event": "x", "says": "real"}',
                headers={"Content-Type": "application/json", "X-Anomgan": "action"},
            )
            assert without.status == 401
    finally:
        if dashboard.process.poll() is None:
            assert dashboard.end(signal.SIGINT) == 0
