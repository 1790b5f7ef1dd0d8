"""Fixtures that hand out real servers: a broker of one's own for each test, a database of one's own in a shared server.

mosquitto, mosquitto_with_password -> BrokerConfig; mosquitto_server -> the process, to be killed and started again
influxdb1, influxdb1_with_password -> InfluxConfig(version=1); victoria, victoria_with_token -> InfluxConfig(version=2)
Reading back: `from servers import influxql, victoria_export, eventually`.
"""

from collections.abc import Iterator
from itertools import count

import pytest
from servers import (
    Mosquitto,
    Server,
    fetch,
    free_port,
    influxdb1_server,
    mosquitto_password_file,
    victoria_server,
    vmauth_server,
)

from anomgan.config import BrokerConfig, InfluxConfig

NUMBER = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a service test."""
    for item in items:
        if "/service/" in item.path.as_posix():
            item.add_marker(pytest.mark.service)


def running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def mosquitto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    for _ in running(server):
        yield server


@pytest.fixture
def mosquitto(mosquitto_server: Mosquitto) -> BrokerConfig:
    return mosquitto_server.config


@pytest.fixture
def mosquitto_with_password(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BrokerConfig]:
    """User `plant`, whose password stands in the environment variable PLANT_PASSWORD."""
    folder = tmp_path_factory.mktemp("mosquitto")
    passwords = mosquitto_password_file(folder, {"plant": "olive tree"})
    server = Mosquitto(folder, ["allow_anonymous false", f"password_file {passwords}"])
    monkeypatch.setenv("PLANT_PASSWORD", "olive tree")
    for _ in running(server):
        yield server.config.model_copy(update={"username": "plant", "password_env": "PLANT_PASSWORD"})


@pytest.fixture(scope="session")
def influxdb1_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    for _ in running(influxdb1_server(tmp_path_factory.mktemp("influxdb1"), port)):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def influxdb1(influxdb1_url: str) -> InfluxConfig:
    """A database that does not exist yet."""
    return InfluxConfig(url=influxdb1_url, version=1, database=f"test_{next(NUMBER)}")


@pytest.fixture(scope="session")
def influxdb1_with_password_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    for _ in running(influxdb1_server(tmp_path_factory.mktemp("influxdb1"), port, authentication=True)):
        url = f"http://127.0.0.1:{port}"
        fetch(f"{url}/query", {"q": "CREATE USER plant WITH PASSWORD 'olive tree' WITH ALL PRIVILEGES"})
        fetch(f"{url}/query", {"q": "CREATE USER guest WITH PASSWORD 'guest'"}, ("plant", "olive tree"))
        yield url


@pytest.fixture
def influxdb1_with_password(influxdb1_with_password_url: str, monkeypatch: pytest.MonkeyPatch) -> InfluxConfig:
    """User `plant` may do everything, user `guest` (password GUEST_PASSWORD) nothing."""
    monkeypatch.setenv("PLANT_PASSWORD", "olive tree")
    monkeypatch.setenv("GUEST_PASSWORD", "guest")
    return InfluxConfig(
        url=influxdb1_with_password_url,
        version=1,
        database=f"test_{next(NUMBER)}",
        username="plant",
        password_env="PLANT_PASSWORD",  # noqa: S106 a name, not a password
    )


@pytest.fixture(scope="session")
def victoria_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    for _ in running(victoria_server(tmp_path_factory.mktemp("victoria"), port)):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def victoria(victoria_url: str) -> InfluxConfig:
    """Emptied before each test, for VictoriaMetrics has no databases."""
    fetch(f"{victoria_url}/api/v1/admin/tsdb/delete_series", {"match[]": '{__name__!=""}'})
    return InfluxConfig(url=victoria_url, version=2)


@pytest.fixture
def victoria_with_token(
    victoria: InfluxConfig, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InfluxConfig]:
    """The same server behind a gate that asks for the token in PLANT_TOKEN."""
    port = free_port()
    monkeypatch.setenv("PLANT_TOKEN", "s3cret")
    for _ in running(vmauth_server(tmp_path_factory.mktemp("vmauth"), port, victoria.url, "s3cret")):
        yield victoria.model_copy(update={"url": f"http://127.0.0.1:{port}", "token_env": "PLANT_TOKEN"})
