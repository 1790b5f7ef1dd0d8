"""The digest of a detector covers the code that its results depend on, and no other."""

from pathlib import Path

import pytest

from anomgan_benchmark import sources
from anomgan_benchmark.detectors import DETECTORS


def test_a_baseline_depends_on_what_it_imports_and_not_on_the_gan() -> None:
    found = sources.sources_of("anomgan_benchmark.plain")
    assert {"anomgan.baselines", "anomgan.scaling", "anomgan.windows", "anomgan.decide"} <= found.keys()
    assert not [name for name in found if name.startswith(("anomgan.gan", "anomgan.detector", "anomgan.fit"))]


def test_the_gan_depends_on_its_networks_and_on_what_it_imports_only_when_asked_to() -> None:
    found = sources.sources_of("anomgan_benchmark.gan")
    assert {"anomgan.gan.train", "anomgan.gan.networks", "anomgan.score", "anomgan.adapters.files"} <= found.keys()
    assert "anomgan_cli.main" not in found


def test_every_detector_has_a_digest_that_holds_the_protocol() -> None:
    for entry in DETECTORS.values():
        assert len(sources.digest(entry.fit.__module__, "anomgan_benchmark.protocol")) == 12
    assert "anomgan.vus" in sources.sources_of("anomgan_benchmark.protocol")


def test_a_change_in_what_a_module_imports_changes_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "__init__.py").write_text("")
    (tmp_path / "planted" / "top.py").write_text("def f():\n    from planted import below\n    return below\n")
    (tmp_path / "planted" / "below.py").write_text("import planted.top\nX = 1\n")
    (tmp_path / "planted" / "beside.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sources, "PACKAGES", ("planted",))
    before = sources.digest.__wrapped__("planted.top")
    (tmp_path / "planted" / "beside.py").write_text("X = 2\n")
    assert sources.digest.__wrapped__("planted.top") == before
    (tmp_path / "planted" / "below.py").write_text("import planted.top\nX = 2\n")
    assert sources.digest.__wrapped__("planted.top") != before
