"""From a `[[fleets]]` table to how its payloads are read."""

from anomgan.config import FleetConfig, InputConfig
from anomgan.errors import ConfigError, PayloadError
from anomgan.wire.payload_format import PayloadFormat
from anomgan.wire.topics import TopicTemplate, check_name


def payload_format(config: FleetConfig, template: TopicTemplate, admit: InputConfig) -> PayloadFormat:
    """How the payloads of a fleet are read; ConfigError where its site cannot be."""
    return PayloadFormat(
        template,
        config.dialect,
        config.time_key,
        config.time_unit,
        config.device_key,
        admit.max_payload_bytes,
        admit.max_future_s,
        site_of(config, template),
    )


def site_of(config: FleetConfig, template: TopicTemplate) -> str:
    """The site of devices whose topic names none; ConfigError where one is given in vain or cannot stand in a topic."""
    if "site" in template.names:
        if config.site:
            raise ConfigError(
                f"topic template {template.text!r}: it has {{site}}, so site = {config.site!r} is in vain"
            )
        return ""
    try:
        return check_name("site", config.site) if config.site else config.broker
    except PayloadError as error:
        raise ConfigError(f"fleet with topic {template.text!r}: {error}") from None
