"""Every architecture, game and stabiliser learns a known distribution: a mixture of sines."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sines
import torch
from numpy.typing import NDArray
from sines import LENGTH, MODES, REACH, Windows, draw, fidelity, modes_of

from anomgan.config import ArchitectureName, GameConfig, LossName
from anomgan.gan import attempts
from anomgan.gan.attempts import draw as complete_once
from anomgan.gan.hide import shown
from anomgan.gan.losses import LOSSES
from anomgan.gan.networks import ARCHITECTURES, Networks
from anomgan.gan.shape import Shape
from anomgan.gan.train import Normal, TrainingResult, train

Sample = Callable[[np.random.Generator, int], Normal]

GENERATING: dict[str, Any] = {
    "learning_rate": 3e-3, "adversarial_weight": 1.0, "reconstruction_weight": 5.0, "latent": 8, "width": 8,
    "batch": 32, "patience": 10_000, "device": "cpu",
}  # fmt: skip


def play(steps: int, sample: Sample = sines.sampled, **changes: Any) -> TrainingResult:
    config = GameConfig(**{**GENERATING, **changes})
    held = sines.conditioned if sample is sines.conditioned else sines.sampled
    conditions = MODES if sample is sines.conditioned else 0
    shape = Shape(
        2, LENGTH, config.latent, config.width, conditions, hiding=True, statistics=config.minibatch_statistics
    )
    return train(sample, held(np.random.default_rng(99), 256), REACH, shape, config, steps, fine=sines.FINE)


def completed(networks: Networks, windows: Windows, known: NDArray[np.bool_], mode: int | None = None) -> Windows:
    """Of windows (N, C, L) of which cells are known (N, C, L), one each that goes with these."""
    x, cells = torch.from_numpy(windows), torch.from_numpy(known)
    y = torch.zeros(len(x), networks.shape.conditions)
    if mode is not None:
        y[:, mode] = 1.0
    dice = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        made: Windows = complete_once(networks.generator, networks.encoder, shown(x, cells), y, dice).numpy()
    return made


def generated(networks: Networks, count: int = 512, mode: int | None = None) -> Windows:
    """Windows (count, C, L) of which nothing was known."""
    nothing = np.zeros((count, 2, LENGTH), np.float32)
    return completed(networks, nothing, nothing.astype(bool), mode)


STEPS: dict[ArchitectureName, int] = {"mlp": 200, "conv": 500, "pyramid": 300, "progressive": 450}


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_every_architecture_learns_the_mixture(architecture: ArchitectureName) -> None:
    told = fidelity(generated(play(STEPS[architecture], architecture=architecture, batch=64).networks))
    assert told.learned, told


@pytest.mark.parametrize("loss", list(LOSSES))
def test_every_game_learns_the_mixture(loss: LossName) -> None:
    told = fidelity(generated(play(300, architecture="mlp", loss=loss).networks))
    assert told.learned, told


def test_the_figures_tell_the_mixture_from_untrained_collapsed_and_partial_generators() -> None:
    """What the tests above ask of generators is met by the mixture itself, and by none of these."""
    rng = np.random.default_rng(1)
    mode, real = draw(rng, 512)
    assert fidelity(real).learned
    untrained = fidelity(generated(play(1, learning_rate=1e-9).networks))
    alike, of_one_mode = fidelity(np.repeat(real[:1], 512, 0)), fidelity(real[mode == 1])
    scattered = fidelity(rng.permuted(real, axis=2))
    for wrong in (untrained, alike, of_one_mode, scattered):
        assert not wrong.learned
        assert wrong.rarest < 0.1
        assert wrong.spectrum > 0.25
    assert untrained.of_a_mode < 0.1


STABILISERS: dict[str, dict[str, Any]] = {
    "no bound": {"normalisation": "none"},
    "gradient penalty": {"normalisation": "none", "gradient_penalty": 1.0},
    "two learning rates": {"discriminator_learning_rate": 1e-3},
    "minibatch statistics": {"minibatch_statistics": True},
    "augmentation": {"augmentation": 0.3},
    "newest weights": {"ema_decay": 0.0},
}


@pytest.mark.parametrize("name", list(STABILISERS))
def test_with_every_stabiliser_the_mixture_is_learned(name: str) -> None:
    told = fidelity(generated(play(450, architecture="mlp", **STABILISERS[name]).networks))
    assert told.learned, told


def test_generator_and_discriminator_follow_the_condition() -> None:
    networks = play(300, sines.conditioned, architecture="mlp").networks
    for mode in range(MODES):
        made = modes_of(generated(networks, 256, mode))
        assert (made == mode).mean() > 0.6
        assert np.isin(made, [-1, mode]).mean() > 0.9, "hardly any is of another mode"
    held = sines.conditioned(np.random.default_rng(3), 300)
    x, y = torch.from_numpy(held.windows), torch.from_numpy(held.conditions)
    with torch.inference_mode():
        right, wrong = (networks.discriminator(x, told)[0][:, 0] for told in (y, y.roll(1, 1)))
    assert (right > wrong).float().mean() > 0.8


def test_a_window_shown_whole_comes_back_and_hidden_cells_are_those_of_its_mode() -> None:
    networks = play(500, architecture="mlp").networks
    mode, windows = draw(np.random.default_rng(3), 200)
    whole = completed(networks, windows, np.ones_like(windows, bool))
    assert np.abs(whole - windows).mean() < 0.25 * np.abs(windows).mean()
    known = np.ones_like(windows, bool)
    known[:, 1], known[:, 0, 12:20] = False, False
    half = completed(networks, windows, known)
    assert (modes_of(half) == mode).mean() > 0.9


def levels(rng: np.random.Generator, count: int) -> Normal:
    """Two levels, the second around the first by a standard deviation of 0.3."""
    first = 0.5 * rng.standard_normal((count, 1, 1))
    both = np.concatenate([first, first + 0.3 * rng.standard_normal((count, 1, 1))], axis=1)
    return Normal.unconditioned((both + 0.02 * rng.standard_normal((count, 2, 16))).astype(np.float32))


def test_draws_are_as_far_apart_as_what_is_hidden_is_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a channel that is hidden whole, and only that, four in five values lie in the draws' band of 80 %."""
    monkeypatch.setattr(attempts, "hide", lambda x, dice: torch.tensor([True, False])[:, None].expand_as(x))
    config = GameConfig(**{**GENERATING, "architecture": "mlp", "adversarial_weight": 0.1})
    shape = Shape(2, 16, config.latent, config.width, hiding=True)
    reach = np.array([[-2.2, -2.6], [2.2, 2.6]], np.float32)
    networks = train(levels, levels(np.random.default_rng(99), 64), reach, shape, config, 400).networks
    windows = levels(np.random.default_rng(3), 200).windows
    known = np.broadcast_to(np.array([True, False])[:, None], (200 * 64, 2, 16)).copy()
    draws = completed(networks, np.repeat(windows, 64, 0), known).reshape(200, 64, 2, 16)[:, :, 1]
    low, high = np.quantile(draws, [0.1, 0.9], axis=1)
    assert 0.65 < ((low <= windows[:, 1]) & (windows[:, 1] <= high)).mean() < 0.92
    assert np.corrcoef(draws.mean((1, 2)), windows[:, 0].mean(1))[0, 1] > 0.95


def test_draws_of_which_only_the_values_are_right_score_worse_than_those_that_go_together() -> None:
    """A score of cells one by one could not tell them apart."""
    rng = np.random.default_rng(0)
    real, one, other = (torch.from_numpy(draw(rng, 2000)[1]) for _ in range(3))
    mixed = [torch.from_numpy(rng.permuted(part.numpy(), axis=0)) for part in (one, other)]
    together, apart = (
        attempts.energy_score(*several, real, torch.eye(2), torch.ones(1, 2, 1)) for several in ((one, other), mixed)
    )
    assert apart > together + 0.02
