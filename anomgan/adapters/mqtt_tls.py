"""TLS to an MQTT broker: whom to trust, and who we are.

The broker's certificate is always verified, its host name too: there is no key that turns this off.
"""

import ipaddress
import ssl

from anomgan.config import BrokerConfig, broker_table
from anomgan.errors import ConfigError


def tls_context(config: BrokerConfig) -> ssl.SSLContext:
    """The TLS settings of a broker; ConfigError names the file that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=config.ca_file or None)
    except OSError as error:
        raise _unusable("ca_file", config.ca_file, error, config) from None
    read_certificate(context, config)
    return context


def read_certificate(context: ssl.SSLContext, config: BrokerConfig) -> None:
    """Take the client certificate as it is now, for it is renewed while a service runs; raises ConfigError."""

    def never_ask() -> str:
        raise ConfigError(f"{broker_table(config)}.key_file: the key is encrypted; a service cannot type a pass phrase")

    if config.cert_file:
        try:
            context.load_cert_chain(config.cert_file, config.key_file or None, never_ask)
        except OSError as error:
            files = " or ".join(filter(None, (config.cert_file, config.key_file)))
            raise _unusable("cert_file", files, error, config) from None


def _unusable(key: str, files: str, error: OSError, config: BrokerConfig) -> ConfigError:
    where = f"{broker_table(config)}.{key}"
    if not isinstance(error, ssl.SSLError):
        return ConfigError(f"{where}: cannot read {files}: {error.strerror}")
    if error.reason == "KEY_VALUES_MISMATCH":
        return ConfigError(f"{where}: the key does not belong to the certificate ({files})")
    return ConfigError(f"{where}: not usable as PEM: {error.reason or error}")


def exposed_password(config: BrokerConfig) -> str:
    """What to warn of where a password would travel in clear text beyond this machine; "" where none does."""
    if config.tls or not config.username or not (config.password_env or config.password_file):
        return ""
    try:
        local = ipaddress.ip_address(config.host).is_loopback
    except ValueError:
        local = config.host == "localhost"
    return "" if local else "the password travels in clear text; set tls = true"
