"""Certificates for tests, made by openssl: two authorities, a broker's, clients', and those that must be refused."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from servers import require


@dataclass(frozen=True)
class Certificates:
    """PEM files in `folder`: NAME.pem with its key in NAME.key.

    ca, other_ca: authorities. server: of localhost, by ca. expired: the same, a day out of date. elsewhere: of another
    host. client: of a device, by ca. stranger: the same, by other_ca. locked.key: the key of client, encrypted.
    """

    folder: Path

    def file(self, name: str) -> str:
        """The path of one of them."""
        return str(self.folder / name)


def make_certificates(folder: Path) -> Certificates:
    """All of them."""
    made = Certificates(folder)
    now = datetime.now(UTC)
    valid = (now - timedelta(days=2), now + timedelta(days=2))
    past = (now - timedelta(days=2), now - timedelta(days=1))
    for name in ("ca", "other_ca"):
        _openssl(folder, "req", "-x509", *_new_key(name), "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}")
    _issue(folder, "server", "ca", valid, "localhost")
    _issue(folder, "expired", "ca", past, "localhost")
    _issue(folder, "elsewhere", "ca", valid, "broker.example")
    _issue(folder, "client", "ca", valid, "detector")
    _issue(folder, "stranger", "other_ca", valid, "detector")
    _openssl(folder, "rsa", "-in", "client.key", "-aes128", "-passout", "pass:olive", "-out", "locked.key")
    return made


def _issue(folder: Path, name: str, authority: str, valid: tuple[datetime, datetime], host: str) -> None:
    """A certificate of `host`, signed by an authority; `ca` is the command of openssl that takes any dates."""
    _openssl(folder, "req", *_new_key(name), "-out", f"{name}.csr", "-subj", f"/CN={host}")
    (folder / "index.txt").write_text("")
    (folder / "issue.conf").write_text(f"""
[ca]
default_ca = mine
[mine]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = any
rand_serial = yes
x509_extensions = extensions
[any]
commonName = supplied
[extensions]
subjectAltName = DNS:{host}
""")
    dates = [f"{one:%Y%m%d%H%M%SZ}" for one in valid]
    signed_by = ["-cert", f"{authority}.pem", "-keyfile", f"{authority}.key"]
    when = ["-startdate", dates[0], "-enddate", dates[1]]
    _openssl(
        folder, "ca", "-batch", "-config", "issue.conf", *signed_by, *when,
        "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext",
    )  # fmt: skip


def _new_key(name: str) -> list[str]:
    return ["-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"]


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run([require("openssl"), *arguments], cwd=folder, check=True, capture_output=True)
