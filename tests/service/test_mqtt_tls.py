"""TLS to a real mosquitto, in both versions of MQTT: who is trusted and who is not, each mistake in one clear line."""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from certificates import Certificates, make_certificates
from servers import Mosquitto, eventually

from anomgan.adapters.mqtt import MqttPublisher, MqttSource, check_broker
from anomgan.adapters.mqtt_client import Wish
from anomgan.adapters.mqtt_fleet import MqttFleet
from anomgan.adapters.mqtt_tls import exposed_password
from anomgan.config import BrokerConfig, ServiceConfig, parse_config
from anomgan.errors import AnomganError, ConfigError, Refused, Unreachable

FLEET = [("plant/#", 1)]
Start = Callable[..., BrokerConfig]
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")  # paho's, after a failed handshake


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=[3, 5], ids=["3.1.1", "5"])
def start(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, made: Certificates
) -> Iterator[Start]:
    """Starts a broker that shows a certificate; gives what a client needs to trust it."""
    servers: list[Mosquitto] = []

    def run(shown: str = "server", more: Sequence[str] = ()) -> BrokerConfig:
        lines = [f"certfile {made.file(shown)}.pem", f"keyfile {made.file(shown)}.key", "allow_anonymous true", *more]
        servers.append(Mosquitto(tmp_path_factory.mktemp("mosquitto"), lines))
        servers[-1].start()
        return BrokerConfig(
            host="localhost",
            port=servers[-1].port,
            version=request.param,
            tls=True,
            ca_file=made.file("ca.pem"),
            connect_timeout_s=5.0,
        )

    yield run
    for server in servers:
        server.stop()


def changed(config: BrokerConfig, **changes: object) -> BrokerConfig:
    return config.model_copy(update=changes)


def refusal(config: BrokerConfig, error: type[AnomganError] = Refused) -> str:
    """What is said, which must be one line, name the broker or the key, and never turn the verification off."""
    with pytest.raises(error) as caught:
        check_broker(config)
    said = str(caught.value)
    assert "\n" not in said
    assert f"localhost:{config.port}" in said or f"127.0.0.1:{config.port}" in said or "broker." in said
    return said


def test_messages_flow_over_tls(start: Start) -> None:
    config = start()
    assert "TLS" in check_broker(config)
    with closing(MqttSource(config, FLEET)) as source, closing(MqttPublisher(config)) as publisher:
        for number in range(3000):
            publisher.publish("plant/p1", b"%d" % number)
        assert publisher.flush(20.0)
        got: list[bytes] = []

        def all_come() -> bool:
            some = source.receive(500, 0.1)
            source.acknowledge(some)
            got.extend(message.payload for message in some)
            return len(got) == 3000

        eventually(all_come, "3000 messages")
    assert got == [b"%d" % number for number in range(3000)]


def test_a_broker_whose_certificate_is_not_to_be_trusted_is_refused(start: Start, made: Certificates) -> None:
    config = start()
    assert "not trusted: unable to get local issuer certificate" in refusal(changed(config, ca_file=""))
    wrong = refusal(changed(config, ca_file=made.file("other_ca.pem")))
    assert "not trusted" in wrong
    assert "local issuer" in wrong or "signature" in wrong
    mismatch = refusal(changed(config, host="127.0.0.1"))
    assert "not trusted" in mismatch
    assert "not valid for '127.0.0.1'" in mismatch


def test_a_certificate_that_has_expired_or_is_of_another_host_is_refused(start: Start) -> None:
    assert "not trusted: certificate has expired" in refusal(start("expired"))
    assert "not valid for 'localhost'" in refusal(start("elsewhere"))


@pytest.mark.parametrize("tls", ["tlsv1.2", "tlsv1.3"])  # the one tells in the handshake, the other after it
def test_a_client_certificate_lets_in_and_none_or_a_stranger_s_does_not(
    start: Start, made: Certificates, tls: str
) -> None:
    config = start(more=[f"cafile {made.file('ca.pem')}", "require_certificate true", f"tls_version {tls}"])
    known = changed(config, cert_file=made.file("client.pem"), key_file=made.file("client.key"))
    check_broker(known)
    none = refusal(config, AnomganError)
    assert "certificate required" in none or "handshake failure" in none
    assert "does it want a client certificate (cert_file)?" in none
    stranger = changed(config, cert_file=made.file("stranger.pem"), key_file=made.file("stranger.key"))
    assert "does it want another client certificate (cert_file)?" in refusal(stranger, AnomganError)


def test_the_certificate_may_be_who_we_are(start: Start, made: Certificates) -> None:
    more = [f"cafile {made.file('ca.pem')}", "require_certificate true", "use_identity_as_username true"]
    config = start(more=more)
    check_broker(changed(config, cert_file=made.file("client.pem"), key_file=made.file("client.key")))


def test_a_client_certificate_that_is_renewed_is_taken_at_the_next_connection(
    start: Start, made: Certificates, tmp_path: Path
) -> None:
    config = start(more=[f"cafile {made.file('ca.pem')}", "require_certificate true"])
    for end in ("pem", "key"):
        (tmp_path / f"mine.{end}").write_bytes(Path(made.file(f"client.{end}")).read_bytes())
    mine = changed(config, cert_file=str(tmp_path / "mine.pem"), key_file=str(tmp_path / "mine.key"))
    with closing(MqttSource(mine, FLEET)) as source:
        (tmp_path / "mine.pem").unlink()
        cut(source)
        eventually(
            lambda: f"broker.cert_file: cannot read {tmp_path}/mine.pem" in source.reason, "it says what is wrong"
        )
        (tmp_path / "mine.pem").write_bytes(Path(made.file("client.pem")).read_bytes())
        eventually(lambda: source.connected, "connected with the new one")


def cut(source: MqttSource) -> None:
    """What a network does to a connection."""
    source._connection.client.socket().shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # it is connected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ca_file": "nowhere.pem"}, "broker.ca_file: cannot read nowhere.pem: No such file"),
        ({"ca_file": "text"}, "broker.ca_file: not usable as PEM"),
        ({"cert_file": "nowhere.pem"}, "broker.cert_file: cannot read nowhere.pem: No such file"),
        ({"cert_file": "client.pem"}, "broker.cert_file: not usable as PEM"),  # without its key
        ({"cert_file": "client.pem", "key_file": "nowhere.key"}, "cannot read client.pem or nowhere.key"),
        ({"cert_file": "client.pem", "key_file": "server.key"}, "the key does not belong to the certificate"),
        ({"cert_file": "client.pem", "key_file": "locked.key"}, "broker.key_file: the key is encrypted"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_key(
    made: Certificates, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    monkeypatch.chdir(made.folder)
    Path("text").write_text("hello")
    assert said in refusal(BrokerConfig(tls=True, port=1, **changes), ConfigError)  # type: ignore[arg-type]  # texts


def test_tls_where_none_is_spoken_and_none_where_it_is_are_told(start: Start, mosquitto: BrokerConfig) -> None:
    config = start()
    said = refusal(changed(config, tls=False, ca_file=""), Unreachable)
    assert "it closed the connection at once" in said or "no answer" in said
    plain = changed(mosquitto, tls=True, version=config.version, connect_timeout_s=2.0)
    with pytest.raises((Refused, Unreachable), match=f"MQTT broker 127.0.0.1:{mosquitto.port}"):
        check_broker(plain)


def complaint(**broker: object) -> str:
    document = {"broker": broker, "fleets": [{"model": "m", "topic": "{device}"}], "store": {"sqlite": {"path": "x"}}}
    with pytest.raises(ConfigError) as caught:
        parse_config(ServiceConfig, document, "service.toml")
    return str(caught.value)


@pytest.mark.parametrize("key", ["ca_file", "cert_file"])
def test_files_for_tls_without_tls_are_a_mistake_and_never_silently_no_encryption(key: str) -> None:
    said = complaint(**{key: "x.pem"})
    assert said == f"service.toml: broker: {key} is given, yet without tls = true nothing is encrypted"


def test_there_is_no_key_that_turns_verification_off() -> None:
    for key in ("tls_insecure", "insecure", "verify", "tls_verify", "insecure_skip_verify"):
        assert "unknown key" in complaint(tls=True, **{key: True})


def test_a_password_in_clear_text_is_warned_of_where_others_could_read_it() -> None:
    login = BrokerConfig(host="broker.example", username="plant", password_env="P")  # noqa: S106 a name
    assert "clear text" in exposed_password(login)
    for safe in ({"tls": True}, {"host": "127.0.0.1"}, {"host": "localhost"}, {"host": "::1"}, {"password_env": ""}):
        assert exposed_password(login.model_copy(update=safe)) == ""


def test_a_fleet_of_clients_flows_over_tls_and_tells_mistakes_in_the_same_words(start: Start) -> None:
    config = start()
    wishes = [Wish(f"device-{number}", status_topic=f"status/{number}") for number in range(4)]
    with closing(MqttSource(config, FLEET)) as source, closing(MqttFleet(config, wishes)) as fleet:
        for number in range(2000):
            fleet.publish("plant/p1", b"%d" % number, qos=number % 2, by=3)
        assert fleet.flush(20.0)
        got: list[bytes] = []

        def all_come() -> bool:
            some = source.receive(1000, 0.1)
            source.acknowledge(some)
            got.extend(message.payload for message in some)
            return len(got) >= 2000

        eventually(all_come, "2,000 messages")
    assert got == [b"%d" % number for number in range(2000)]
    for wrong, error, words in (
        (changed(config, ca_file=""), Refused, "certificate is not trusted"),
        (changed(config, tls=False, ca_file=""), Unreachable, "closed the connection at once"),
        (changed(config, ca_file="nowhere.pem"), ConfigError, "broker.ca_file: cannot read nowhere.pem"),
    ):
        with pytest.raises(error, match=words):
            MqttFleet(wrong, wishes)
