"""What `anomgan detect --check` says is there, and what is wrong, before the first message."""

from collections.abc import Callable
from pathlib import Path

import pytest
from detector_program import folder, pump_model, write_config
from programs import PATIENCE_S, Program
from servers import free_port

from anomgan.config import BrokerConfig, InfluxConfig
from anomgan_cli.main import main

__all__ = ["folder", "pump_model"]  # fixtures
Refuse = Callable[[str], str]


@pytest.fixture
def refuse(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Run `anomgan detect detector.toml [--check]`: its one line on stderr, with exit status 2."""
    monkeypatch.chdir(folder)

    def refuse(*options: str) -> str:
        with pytest.raises(SystemExit) as left:
            main(["detect", "detector.toml", *options])
        told = capsys.readouterr().err
        errors = [line for line in told.splitlines() if line.startswith("anomgan: error: ")]
        assert left.value.code == 2
        assert len(errors) == 1
        assert told.endswith(f"{errors[0]}\n")
        return errors[0]

    return refuse


def test_check_says_what_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as left:
        main(["detect", "detector.toml", "--check"])
    out, err = capsys.readouterr()
    assert (left.value.code, err) == (0, "")
    for words in (
        "detector.toml: valid",
        "3 channels, window 16, every 2",
        "connected",
        "store anomgan.db: 0 devices",
        "journal anomgan-journal.db: 0 letters waiting",
    ):
        assert words in out
    assert out.endswith("everything answers\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pump.safetensors", "gone.safetensors", "gone.safetensors: no such file"),
        ("client_id", "cleint_id", "detector.toml: broker.cleint_id: unknown key; did you mean 'client_id'?"),
        ('path = "anomgan.db"', "path = 7", "store.sqlite.path: Input should be a valid string (got 7)"),
        ("connect_timeout_s = 5.0", 'connect_timeout_s = "5"', "broker.connect_timeout_s: Input should be a valid"),
        ("connect_timeout_s = 5.0", 'password = "olive tree"', "broker.password: secrets do not belong"),
        ("connect_timeout_s = 5.0", 'username = "plant"\npassword_env = "UNSET"', "environment variable UNSET"),
        ("[store.sqlite]", "[store.sqlight]", "store.sqlight: unknown key; did you mean 'sqlite'?"),
        ("[[fleets]]", "[[fleets", "detector.toml: not valid TOML: Expected"),
        ("plant/{device}/telemetry", "plant/{devise}/telemetry", "unknown placeholder {devise}"),
        ("plant/{device}/telemetry", "plant/telemetry", "it has no {device}, so device_key must name"),
        ("127.0.0.1", "no-such-host.invalid", "MQTT broker no-such-host.invalid"),
        ('path = "anomgan.db"', 'path = "detector.toml"', "store detector.toml: not an SQLite file"),
    ],
)  # fmt: skip
def test_check_names_what_is_wrong_in_one_line(folder: Path, refuse: Refuse, old: str, new: str, message: str) -> None:
    text = (folder / "detector.toml").read_text()
    assert old in text
    (folder / "detector.toml").write_text(text.replace(old, new))
    assert message in refuse("--check")


def test_check_names_a_broker_that_is_not_there(folder: Path, refuse: Refuse, pump_model: Path) -> None:
    port = free_port()
    write_config(folder, BrokerConfig(host="127.0.0.1", port=port), pump_model)
    assert f"MQTT broker 127.0.0.1:{port}: connection refused; is it running?" in refuse("--check")


def test_check_tells_a_refused_user_from_a_wrong_password_of_the_broker(
    folder: Path,
    refuse: Refuse,
    mosquitto_with_password: BrokerConfig,
    pump_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_config(folder, mosquitto_with_password.model_copy(update={"username": ""}), pump_model)
    assert "MQTT broker 127.0.0.1:" in refuse("--check")
    write_config(folder, mosquitto_with_password, pump_model)
    monkeypatch.setenv("PLANT_PASSWORD", "wrong")
    told = refuse("--check")
    assert "not authori" in told or "bad user name or password" in told
    assert "'plant'" in told
    assert "wrong" not in told


@pytest.mark.parametrize("version", [1, 2])
def test_check_names_a_database_that_is_not_there(
    folder: Path, refuse: Refuse, mosquitto: BrokerConfig, pump_model: Path, version: int
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    write_config(folder, mosquitto, pump_model, more=f'[store.influx]\nurl = "{url}"\nversion = {version}')
    told = refuse("--check")
    assert f"InfluxDB {url}" in told
    assert "connection refused; is it running?" in told


def test_check_names_wrong_credentials_of_a_database(
    folder: Path,
    refuse: Refuse,
    mosquitto: BrokerConfig,
    pump_model: Path,
    influxdb1_with_password: InfluxConfig,
    victoria_with_token: InfluxConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLANT_PASSWORD", "wrong")
    monkeypatch.setenv("PLANT_TOKEN", "wrong")
    login = 'version = 1\nusername = "plant"\npassword_env = "PLANT_PASSWORD"'
    for url, how in ((influxdb1_with_password.url, login), (victoria_with_token.url, 'token_env = "PLANT_TOKEN"')):
        write_config(folder, mosquitto, pump_model, more=f'[store.influx]\nurl = "{url}"\n{how}')
        told = refuse("--check")
        assert f"InfluxDB {url}" in told
        assert "HTTP 40" in told


def test_started_without_a_broker_it_ends_as_check_does(folder: Path, pump_model: Path) -> None:
    port = free_port()
    write_config(folder, BrokerConfig(host="127.0.0.1", port=port), pump_model)
    service = Program(folder, ["detect", "detector.toml"], folder / "detector.log")
    assert service.process.wait(PATIENCE_S) == 2
    last = service.said().splitlines()[-1]
    assert last == f"anomgan: error: MQTT broker 127.0.0.1:{port}: connection refused; is it running?"
    assert "Traceback" not in service.said()
