"""Notices to a real webhook and a real mail server: what arrives, what is tried again, what is refused."""

import email
import email.policy
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from listeners import Mailbox, Webhook, serving
from servers import eventually, free_port

from anomgan.adapters.journal import Journal
from anomgan.adapters.notify import NotifyCarrier, Target, targets
from anomgan.adapters.ports import Letter, Message, Turn
from anomgan.config import NotifyConfig
from anomgan.errors import ConfigError, Unreachable
from anomgan.wire.notice import Notice, encode_notice
from anomgan_detector.courier import Courier

# Apprise imports imghdr where Python still has it, and Python says that it will not have it for long.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
NOTICE = Notice("north/pump-1: major", "pressure fell to 0.2 bar where 0.9 was expected, 14 s before flow.", "warning")
SECRET = "s3cret-token"  # noqa: S105 of a test


def letter(notice: Notice = NOTICE) -> Letter:
    return Letter("notify", encode_notice(notice))


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with serving(Webhook()) as server:
        yield server


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with serving(Mailbox()) as server:
        yield server


def to_webhook(server: Webhook) -> NotifyCarrier:
    return NotifyCarrier(Target("notify.json-1", f"json://plant:{SECRET}@127.0.0.1:{server.server_port}/hook"))


def to_mailbox(server: Mailbox) -> NotifyCarrier:
    url = f"mailto://127.0.0.1:{server.server_address[1]}?from=anomgan@example.org&to=shift@example.org&mode=insecure"
    return NotifyCarrier(Target("notify.mailto-1", url))


def test_a_webhook_hears_title_text_and_mood(webhook: Webhook) -> None:
    assert to_webhook(webhook).deliver([letter()]) == []
    ((path, body),) = webhook.heard
    told = json.loads(body)
    assert path == "/hook"
    assert (told["title"], told["message"], told["type"]) == tuple(NOTICE)


def test_a_mail_arrives(mailbox: Mailbox) -> None:
    assert to_mailbox(mailbox).deliver([letter()]) == []
    (raw,) = mailbox.heard
    mail = email.message_from_string(raw, policy=email.policy.default)
    assert mail["Subject"] == NOTICE.title
    assert mail["To"] == "shift@example.org"
    body = mail.get_body(("plain", "html"))
    assert body is not None
    assert "pressure fell to 0.2 bar" in body.get_content()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_what_a_webhook_refuses_is_returned_with_its_answer(webhook: Webhook, status: int) -> None:
    webhook.status = status
    (rejection,) = to_webhook(webhook).deliver([letter()])
    assert rejection.reason == f"HTTP {status}"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_a_webhook_may_yet_take_is_to_be_brought_again(webhook: Webhook, status: int) -> None:
    webhook.status = status
    with pytest.raises(Unreachable, match="did not arrive"):
        to_webhook(webhook).deliver([letter()])


def test_a_mail_server_refuses_for_good_or_for_now(mailbox: Mailbox) -> None:
    mailbox.answer = b"550 no such user"
    (rejection,) = to_mailbox(mailbox).deliver([letter()])
    assert rejection.reason == "SMTP 550"
    mailbox.answer = b"451 try again later"
    with pytest.raises(Unreachable):
        to_mailbox(mailbox).deliver([letter()])


def test_nobody_there_is_to_be_tried_again() -> None:
    for url in (f"json://127.0.0.1:{free_port()}", f"mailto://127.0.0.1:{free_port()}?from=a@b.org&to=c@d.org"):
        with pytest.raises(Unreachable):
            NotifyCarrier(Target("notify.x", url)).deliver([letter()])


def test_a_letter_that_is_no_notice_is_returned(webhook: Webhook) -> None:
    (rejection,) = to_webhook(webhook).deliver([Letter("notify", b"{}")])
    assert "no notice" in rejection.reason
    assert webhook.heard == []


def test_no_log_and_no_error_holds_a_secret(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    carrier = to_webhook(webhook)
    with caplog.at_level(logging.DEBUG):
        assert carrier.deliver([letter()]) == []
        webhook.status = 401
        (rejection,) = carrier.deliver([letter()])
        webhook.status = 500
        with pytest.raises(Unreachable) as caught:
            carrier.deliver([letter()])
    assert SECRET not in rejection.reason + str(caught.value)
    assert SECRET not in caplog.text
    assert len(webhook.heard) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{SECRET}", "address 1 does not begin"),
        (f"json://localhost/a nonsense:{SECRET}", "address 2 does not begin"),
        (f"json://localhost/{SECRET} json://localhost/{SECRET}", "twice"),
    ],
)
def test_an_address_that_is_none_is_named_by_its_place_alone(
    monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setenv("PLANT_URLS", text)
    with pytest.raises(ConfigError, match=message) as caught:
        targets(NotifyConfig(urls_env="PLANT_URLS"))
    assert SECRET not in str(caught.value)


def test_an_address_that_apprise_does_not_know_is_refused_without_naming_it() -> None:
    with pytest.raises(ConfigError, match=r"cannot read the address of notify\.x") as caught:
        NotifyCarrier(Target("notify.x", f"unheardof://{SECRET}"))
    assert SECRET not in str(caught.value)


def test_targets_have_names_that_stay_and_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_URLS", f"json://localhost/{SECRET}\nmailto://plant:{SECRET}@example.org\n")
    one, two = targets(NotifyConfig(urls_env="PLANT_URLS"))
    assert one.addressee.startswith("notify.json-")
    assert two.addressee.startswith("notify.mailto-")
    assert targets(NotifyConfig(urls_env="PLANT_URLS")) == [one, two]
    monkeypatch.setenv("PLANT_URLS", two.url)
    assert targets(NotifyConfig(urls_env="PLANT_URLS")) == [two]
    assert targets(NotifyConfig()) == []


def test_a_target_that_is_away_is_notified_once_when_it_is_back_and_one_that_refuses_fills_the_quarantine(
    tmp_path: Path,
) -> None:
    port, journal = free_port(), Journal(tmp_path / "journal.db", 1_000_000)
    url = f"json://127.0.0.1:{port}/hook"
    carrier = NotifyCarrier(Target("notify", url))
    courier = Courier("notify", Journal(tmp_path / "journal.db", 1_000_000), carrier, lambda: 5.0, at_once=1)
    journal.append(Turn(1.0, [Message("t", b"")]), [letter(NOTICE._replace(title=f"{i}")) for i in range(3)])
    courier.start()
    eventually(lambda: courier.counters["delivery_failures.notify"] >= 2, "two attempts")
    assert courier.failing_since_s == 5.0
    with serving(Webhook(port)) as webhook:
        eventually(lambda: len(webhook.heard) == 3, "all three")
        assert [json.loads(body)["title"] for _, body in webhook.heard] == ["0", "1", "2"]
        eventually(lambda: courier.failing_since_s is None, "the courier is content")
        webhook.status = 404
        journal.append(Turn(2.0, [Message("t", b"")]), [letter()])
        courier.wake()
        eventually(lambda: courier.counters["quarantined.notify"] == 1, "one in quarantine")
    courier.close()
    standing = journal.standing()
    assert (standing.letters, standing.quarantined) == (0, 1)
    journal.close()
