"""A synthesizer with an epsilon: what it promises, what it costs, what it refuses."""

import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from opacus.accountants import RDPAccountant

from anomgan.config import SynthesizerConfig, parse_config
from anomgan.errors import ConfigError, DataError, ModelFileError
from anomgan.gan.train import TrainingStep
from anomgan.records import TimeSeries
from anomgan.synthesis.model_file import pack, unpack
from anomgan.synthesis.private_fit import NOT_COVERED, guarantee, learn_privately
from anomgan.synthesis.synthesizer import Synthesizer

ROWS, PERIOD_S = 4000, 10.0
RANGES = {"flow": (0.0, 40.0), "level": (-10.0, 10.0), "valve": (0.0, 1.0, 1.0)}


def plant(rows: int = ROWS, seed: int = 0, device: str = "a") -> TimeSeries:
    rng = np.random.default_rng(seed)
    phase = np.cumsum(0.4 + 0.05 * rng.normal(size=rows))
    values = np.stack([20.0 + 5.0 * np.sin(phase), 3.0 + np.cos(phase), np.sin(phase) > 0.5], axis=1).astype(float)
    return TimeSeries(1.7e9 + PERIOD_S * np.arange(rows), values, tuple(RANGES), None, ("m3/h", "m", ""), device)


def settings(**changes: Any) -> SynthesizerConfig:
    small = {"window": 16, "width": 4, "latent": 4, "steps": 4, "batch": 8, "device": "cpu"}
    return SynthesizerConfig(**{**small, "epsilon": 4.0, "ranges": RANGES, **changes})


@pytest.fixture(scope="module")
def maker() -> Synthesizer:
    return Synthesizer.fit([plant(), plant(1000, 1, "b")], settings())


def test_epsilon_is_what_opacus_says_of_all_that_was_looked_at_and_stays_within_what_was_asked(
    maker: Synthesizer,
) -> None:
    told = maker.summary["privacy"]
    theirs = RDPAccountant()
    for look in told["looks"]:
        for _ in range(look["times"]):
            theirs.step(noise_multiplier=look["noise_multiplier"], sample_rate=look["rate"])
    assert told["epsilon"] == pytest.approx(theirs.get_epsilon(told["delta"]), abs=1e-3)
    assert 3.9 < told["epsilon"] <= 4.0
    assert [look["times"] for look in told["looks"]] == [2, 1, 4]
    assert told["looks"][2]["rate"] == pytest.approx(8 / told["units"])


def test_the_unit_is_a_block_of_two_windows_of_one_device(maker: Synthesizer) -> None:
    told = maker.summary["privacy"]
    assert (told["unit_rows"], told["unit_s"]) == (32, 320.0)
    assert 125 + 32 <= told["units"] <= 125 + 32 + 2
    assert maker.config.protected_rows == 32


def test_the_promise_says_of_what_and_of_what_not(maker: Synthesizer) -> None:
    said = guarantee(maker.summary)
    assert said.startswith("differential privacy: epsilon 4.00 at delta 1e-05 for each block of 32 rows (320 s)")
    assert "epsilon 8.00 at delta 0.00056. Not covered" in said
    assert all(part in said for part in NOT_COVERED)
    assert guarantee({"steps": 3}) == ""


def test_nothing_that_is_kept_says_how_real_windows_did(maker: Synthesizer) -> None:
    assert {"discriminator_loss", "accuracy_real"}.isdisjoint(maker.summary["last_health"])
    heard: list[TrainingStep] = []
    Synthesizer.fit(plant(), settings(), on_step=heard.append)
    health = heard[-1].health
    assert health is not None
    assert np.isnan([health.discriminator_loss, health.accuracy_real]).all()
    assert np.isfinite([health.generator_loss, health.reconstruction_error]).all()


def test_it_is_saved_and_makes_rows_within_the_ranges(maker: Synthesizer, tmp_path: Path) -> None:
    maker.save(tmp_path / "gan.safetensors")
    again = Synthesizer.load(tmp_path / "gan.safetensors")
    assert guarantee(again.summary) == guarantee(maker.summary)
    (made,) = again.generate(200)
    assert made.channels == tuple(RANGES)
    for column, (low, high, *_) in zip(made.values.T, RANGES.values(), strict=True):
        assert low <= column.min() <= column.max() <= high
    assert set(made.values[:, 2]) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("key", "value"),
    [("epsilon", "four"), ("epsilon", 1e4), ("delta", None), ("looks", []), ("not_covered", "nothing")],
)
def test_a_file_whose_promise_cannot_be_told_is_refused(maker: Synthesizer, key: str, value: object) -> None:
    learned = maker.parts
    told = {**learned.summary, "privacy": {**learned.summary["privacy"], key: value}}
    with pytest.raises(ModelFileError, match="x: the parts of this model file do not fit together"):
        unpack(pack(replace(learned, summary=told)), "x")


def weights(synthesizer_config: SynthesizerConfig, entropy: int) -> torch.Tensor:
    following = count(entropy)
    learned = learn_privately([plant()], synthesizer_config, entropy=lambda: next(following))
    return torch.cat([p.flatten() for p in learned.networks.generator.parameters()])


def test_noise_comes_from_entropy_and_not_from_the_seed() -> None:
    first, again, other = (weights(settings(seed=3), entropy) for entropy in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    made = [Synthesizer.fit(plant(), settings(seed=3)).parts.marginals[0].scores for _ in range(2)]
    assert not np.array_equal(*made)  # as it is by default


def test_a_training_that_is_interrupted_has_spent_less() -> None:
    def stop(step: TrainingStep) -> None:
        if step.step == 2:
            raise KeyboardInterrupt

    told = Synthesizer.fit(plant(), settings(steps=60), on_step=stop).summary
    assert (told["stopped"], told["steps"]) == ("interrupted", 2)
    assert told["privacy"]["looks"][2]["times"] == 2
    assert told["privacy"]["epsilon"] < 2.5


def test_rows_that_are_missing_are_no_news() -> None:
    """How many rows there were, and how many windows, is not told."""
    whole = plant()
    kept = np.ones(ROWS, bool)
    kept[1000:1200] = False
    holed = TimeSeries(whole.times[kept], whole.values[kept], whole.channels, None, whole.units, "a")
    first, second = (Synthesizer.fit(one, settings()).summary for one in (whole, holed))
    for name in ("rows", "training_windows", "series"):
        assert first[name] == second[name]
    assert first["privacy"]["units"] == second["privacy"]["units"]


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"conditions": ("hour",)}, "conditions does not go with epsilon"),
        ({"cycle_weight": 1.0}, "cycle_weight does not go with epsilon"),
        ({"minibatch_statistics": True}, "minibatch_statistics does not go with epsilon: one window would change"),
        ({"augmentation": 0.3}, "augmentation does not go with epsilon"),
        ({"gradient_penalty": 1.0}, "gradient_penalty does not go with epsilon"),
        ({"loss": "wgan-gp"}, "gradient_penalty does not go with epsilon"),
        ({"window": 64, "protected_rows": 32}, "protected_rows = 32 has no room for a window of 64 rows"),
        ({"ranges": {"flow": (3.0, 3.0)}}, r"ranges.flow: \[3.0, 3.0\] is not a lowest value, a higher one"),
        ({"ranges": {"flow": (0.0, 3.0, 5.0)}}, r"ranges.flow: \[0.0, 3.0, 5.0\] is not a lowest value"),
        ({"epsilon": None, "ranges": {"flow": (0.0, 3.0)}}, "ranges goes with epsilon"),
        ({"epsilon": None, "protected_rows": 32}, "protected_rows goes with epsilon"),
        ({"epsilon": 0.0}, "epsilon: .*greater than or equal to 0.01"),
    ],
)
def test_settings_that_would_break_the_promise_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=f"here: {said}"):
        parse_config(SynthesizerConfig, {"epsilon": 1.0, **given}, "here")


def test_a_critic_held_by_spectral_normalisation_alone_is_allowed() -> None:
    given = {"epsilon": 1.0, "loss": "wgan-gp", "gradient_penalty": 0.0}
    assert parse_config(SynthesizerConfig, given, "here").gradient_penalty == 0.0


def test_a_channel_without_a_range_is_named() -> None:
    with pytest.raises(ConfigError, match="ranges: level, valve without one; with an epsilon each channel needs"):
        Synthesizer.fit(plant(), settings(ranges={"flow": (0.0, 40.0)}))


def test_too_few_blocks_to_hide_one_among_are_refused() -> None:
    with pytest.raises(DataError, match=r"1000 rows are 3\d blocks of 32 rows.*at least 64 are needed"):
        Synthesizer.fit(plant(1000), settings())


def test_a_delta_that_may_give_a_block_away_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"delta = 0.05 with 12\d blocks"):
        Synthesizer.fit(plant(), settings(delta=0.05))


def test_without_opacus_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opacus", None)  # as if it were not installed
    with pytest.raises(ConfigError, match=r"needs Opacus: pip install 'anomgan\[private\]'"):
        Synthesizer.fit(plant(), settings())
