"""Secrets come from the environment or a file; what is wrong is said without saying the secret."""

from pathlib import Path

import pytest

from anomgan.adapters.secrets import read_secret
from anomgan.errors import ConfigError


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(" olive tree \r\n")
    assert read_secret("broker.password", "P", "", {"P": "olive tree"}) == "olive tree"
    assert read_secret("broker.password", "", str(file), {}) == " olive tree "
    assert read_secret("broker.password", "", "", {"P": "x"}) == ""


def test_the_environment_is_the_process_s_own_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_PASSWORD", "olive tree")
    assert read_secret("broker.password", "PLANT_PASSWORD", "") == "olive tree"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_an_unusable_file_is_a_config_error_that_names_key_and_file(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"store\.influx\.token_file: .*{file}"):
        read_secret("store.influx.token", "", str(file), {})
    with pytest.raises(ConfigError, match="token_file"):
        read_secret("store.influx.token", "", str(tmp_path), {})


@pytest.mark.parametrize("environ", [{}, {"P": ""}])
def test_an_unset_or_empty_variable_is_a_config_error_that_names_it(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"broker\.password_env: .* P is not set"):
        read_secret("broker.password", "P", "", environ)


def test_both_at_once_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both given"):
        read_secret("broker.password", "P", str(tmp_path / "secret"), {"P": "x"})
