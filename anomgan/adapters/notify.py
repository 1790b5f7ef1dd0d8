"""Notices to people by webhook, mail and chat, through Apprise, which knows a hundred services by their addresses.

Apprise says only whether a notice left; why not, it writes to its log, perhaps with addresses and tokens. That log goes
nowhere; it is read here for the one thing that matters: whether the other side refused.
"""

import hashlib
import logging
import re
from collections.abc import Sequence
from typing import NamedTuple

from anomgan.adapters.ports import Letter, Rejection
from anomgan.adapters.secrets import read_secret
from anomgan.config import NotifyConfig
from anomgan.errors import ConfigError, DataError, Unreachable
from anomgan.wire.notice import Notice, decode_notice

HTTP_ERROR = re.compile(r"\berror=([0-9]{3})\b")
SMTP_ANSWER = re.compile(r"(?:\(|refused: )([0-9]{3}),? b['\"]")
COMES_BACK = {408, 425, 429}
"""answers below 500 that mean: later"""
PATIENCE_S = 30.0


class Target(NamedTuple):
    """Somebody to notify: a name that gives nothing away, and the address, which is a secret."""

    addressee: str
    url: str


def targets(config: NotifyConfig) -> list[Target]:
    """Who is to be notified; ConfigError where an address is none, naming its place and not itself."""
    text = read_secret("notify.urls", config.urls_env, config.urls_file)
    found = []
    for number, url in enumerate(text.split(), 1):
        scheme = url.partition("://")[0]
        if not re.fullmatch(r"[a-z0-9]{1,20}", scheme) or "://" not in url:
            raise ConfigError(f"notify.urls: address {number} does not begin as addresses do, such as json://")
        found.append(Target(f"notify.{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:6]}", url))
    if len({target.addressee for target in found}) < len(found):
        raise ConfigError("notify.urls: the same address stands there twice")
    return found


class NotifyCarrier:
    """Brings notices to one target. What it refuses is returned; what does not arrive is to be brought again."""

    def __init__(self, target: Target) -> None:
        try:
            import apprise  # half a second, and only where somebody is to be notified
        except ImportError:
            raise ConfigError("[notify] needs Apprise: install anomgan[notify]") from None
        log = logging.getLogger("apprise")
        log.propagate = False
        log.setLevel(logging.DEBUG)
        if not log.handlers:
            log.addHandler(logging.NullHandler())  # without any, warnings would go to stderr
        asset = apprise.AppriseAsset(app_id="anomgan", app_desc="anomgan", async_mode=False)
        self._name = target.addressee
        self._apprise = apprise.Apprise(asset=asset)
        if not self._apprise.add(target.url):
            raise ConfigError(f"notify.urls: Apprise cannot read the address of {self._name}")

    def deliver(self, letters: Sequence[Letter]) -> list[Rejection]:
        """Send them one after another; Unreachable at the first that does not arrive."""
        rejections = []
        for letter in letters:
            try:
                notice = decode_notice(letter.body)
            except DataError as error:
                rejections.append(Rejection(letter, letter.body, str(error)))
                continue
            answer = self._send(notice)
            if answer is not None:
                rejections.append(Rejection(letter, letter.body, answer))
        return rejections

    def _send(self, notice: Notice) -> str | None:
        """Send one; how it was refused, None where it arrived. Raises Unreachable where neither is known."""
        lines: list[str] = []
        # plain text for whoever reads it: nothing in a device's name is markup
        sent = self._apprise.notify(
            title=notice.title,
            body=notice.body,
            notify_type=notice.mood,
            body_format="text",
            timeout=PATIENCE_S,
            log_callback=lambda entry, service: lines.append(entry.message),
            log_level=logging.DEBUG,
        )
        if sent:
            return None
        answer = _refusal(lines)
        if not answer:
            raise Unreachable(f"{self._name}: the notice did not arrive")
        return answer

    def close(self) -> None:
        """Nothing stays open; safe to call twice."""


def _refusal(lines: Sequence[str]) -> str:
    """How the other side said no, "" where it did not or may yet say yes."""
    for line in lines:
        http = HTTP_ERROR.search(line)
        if http is not None and 400 <= int(http[1]) < 500 and int(http[1]) not in COMES_BACK:
            return f"HTTP {http[1]}"
        smtp = SMTP_ANSWER.search(line)
        if smtp is not None and int(smtp[1]) >= 500:
            return f"SMTP {smtp[1]}"
    return ""
