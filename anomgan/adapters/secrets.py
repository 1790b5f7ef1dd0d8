"""Passwords and tokens: from an environment variable or a file, never from a configuration file."""

import os
from collections.abc import Mapping
from pathlib import Path

from anomgan.errors import ConfigError


def read_secret(key: str, env: str, file: str, environ: Mapping[str, str] = os.environ) -> str:
    """The secret that `<key>_env` or `<key>_file` of a configuration names; "" where both are empty.

    The line end of the file is not part of it. ConfigError names the key and what is wrong, never the secret.
    """
    if env and file:
        raise ConfigError(f"{key}_env and {key}_file are both given; one of them must go")
    if env:
        secret = environ.get(env, "")
        if not secret:
            raise ConfigError(f"{key}_env: the environment variable {env} is not set or empty")
        return secret
    if not file:
        return ""
    try:
        secret = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{key}_file: cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{key}_file: {file} is not UTF-8 text") from None
    if not secret:
        raise ConfigError(f"{key}_file: {file} is empty")
    return secret
