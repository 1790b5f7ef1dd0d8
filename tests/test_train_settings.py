"""`anomgan train --set NAME=VALUE`: any setting of a training, of a detector and of a synthesizer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomgan.detector import Detector
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan_cli.main import main
from anomgan_cli.train_settings import all_settings, toml_value

QUICK = ("--steps", "4", "--window", "16", "--device", "cpu", "--out", "x.safetensors")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pump.csv: two hundred rows of a wave, and a mode."""
    rows = [f"{i},{np.sin(i / 5):.3f},{i // 50 % 2}" for i in range(200)]
    (tmp_path / "pump.csv").write_text("\n".join(["time,flow,mode", *rows]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["train", "pump.csv", *words, *QUICK])
    return int(left.value.code or 0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("3", 3),
        ("1e-3", 1e-3),
        ('"wgan-gp"', "wgan-gp"),
        ("wgan-gp", "wgan-gp"),
        ('["hour", "mode"]', ("hour", "mode")),
        ("True", "True"),
        ("", ""),
        ("1\nsteps = 2", "1\nsteps = 2"),
        ("[" * 5000, "[" * 5000),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_values_are_those_of_toml_and_else_text(text: str, value: Any) -> None:
    assert toml_value(text) == value
    assert type(toml_value(text)) is type(value)


def test_what_is_left_out_is_not_given() -> None:
    assert all_settings({"window": None, "seed": 0, "conditions": ()}, {"width": 8}) == {"seed": 0, "width": 8}


def test_a_detector_is_trained_with_what_is_set(folder: Path) -> None:
    chosen = ("augmentation=0.25", "minibatch_statistics = true", "discriminator_learning_rate=5e-4", "loss=wgan-gp")
    assert train("--ignore", "mode", *(word for one in chosen for word in ("--set", one))) == 0
    config = Detector.load("x.safetensors").config
    assert (config.augmentation, config.minibatch_statistics) == (0.25, True)
    assert (config.discriminator_learning_rate, config.loss) == (5e-4, "wgan-gp")


def test_so_is_a_synthesizer(folder: Path) -> None:
    words = ("--synthesizer", "--set", "architecture=mlp", "--set", 'conditions=["mode"]', "--set", "latent=5")
    assert train(*words) == 0
    config = Synthesizer.load("x.safetensors").config
    assert (config.architecture, config.conditions, config.latent) == ("mlp", ("mode",), 5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--set augmentaton=1", "augmentaton: unknown key; did you mean 'augmentation'?"),
        ("--set zzz=red", "zzz: unknown key; known keys: steps, architecture, latent, "),
        ("--synthesizer --set alarms_per_week=2", "alarms_per_week: unknown key"),
        ("--set augmentation=much", "augmentation: Input should be a valid number (got 'much')"),
        ("--set augmentation=2", "augmentation: Input should be less than or equal to 1 (got 2)"),
        ("--set latent=nan", "latent: "),
        ("--set minibatch_statistics=1", "minibatch_statistics: "),
        ("--set augmentation", "'augmentation' is not NAME=VALUE, such as augmentation=0.3"),
        ("--set =3", "'=3' is not NAME=VALUE"),
        ("--set width=8 --set width=9", "width is given twice"),
        ("--set steps=9", "steps is given twice, by --steps and by --set"),
        ("--seed 0 --set seed=1", "seed is given twice, by --seed and by --set"),
        ('--synthesizer --condition mode --set conditions=["hour"]', "by --condition and by --set"),
    ],
)
def test_wrong_settings_are_refused_by_name(
    folder: Path, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    assert train(*words.split()) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert "Traceback" not in told
    assert not Path("x.safetensors").exists()
