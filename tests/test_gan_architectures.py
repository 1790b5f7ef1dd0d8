"""Every architecture goes through the one loop with all that may stand around it, and serves in a detector."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from anomgan.config import ArchitectureName, DetectorConfig, GameConfig, LossName
from anomgan.detector import Detector
from anomgan.gan.losses import LOSSES
from anomgan.gan.networks import ARCHITECTURES, Generator
from anomgan.gan.shape import Shape
from anomgan.gan.train import GROWN_AT, Normal, TrainingResult, TrainingStep, train
from anomgan.model_file import pack, unpack
from anomgan.records import TimeSeries

PLAIN = Shape(channels=2, window=16, latent=4, width=4)
FULL = Shape(channels=2, window=16, latent=4, width=4, conditions=3, hiding=True, statistics=True)
REACH = np.array([[-1.0, -1.0], [1.0, 1.0]], np.float32)


def sample(rng: np.random.Generator, count: int) -> Normal:
    """Sines of three frequencies, which are their conditions."""
    kind = rng.integers(3, size=count)
    phase = rng.uniform(0, 2 * np.pi, (count, 1)) + (1 + kind[:, None]) * np.arange(16) / 5.0
    windows = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    return Normal(windows.astype(np.float32), np.eye(3, dtype=np.float32)[kind])


def unconditioned(rng: np.random.Generator, count: int) -> Normal:
    return Normal.unconditioned(sample(rng, count).windows)


def play(
    shape: Shape,
    steps: int,
    architecture: ArchitectureName,
    *,
    loss: LossName = "hinge",
    penalty: float | None = None,
    augmentation: float = 0.0,
    watch: Callable[[TrainingStep], None] | None = None,
) -> TrainingResult:
    config = GameConfig(
        architecture=architecture,
        latent=4,
        width=4,
        batch=16,
        loss=loss,
        gradient_penalty=penalty,
        augmentation=augmentation,
        learning_rate=3e-3,
        device="cpu",
        patience=10_000,
    )
    source = sample if shape.conditions else unconditioned
    return train(source, source(np.random.default_rng(9), 48), REACH, shape, config, steps, watch)


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
@pytest.mark.parametrize("loss", list(LOSSES))
def test_every_architecture_plays_every_game_with_all_that_may_stand_around_it(
    architecture: ArchitectureName, loss: LossName
) -> None:
    result = play(FULL, 6, architecture, loss=loss, penalty=1.0, augmentation=0.5)
    networks, held = result.networks, sample(np.random.default_rng(1), 5)
    y = torch.from_numpy(held.conditions)
    made = networks.generator(torch.zeros(5, 4), y, torch.zeros(5, 2, 16))
    logits, layers = networks.discriminator(made, y)
    assert all(bool(part.isfinite().all()) for part in (made, logits, *layers))
    assert np.isfinite([result.health[-1].coverage, result.health[-1].density]).all()
    assert networks.discriminator.usual > 0


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_every_architecture_learns_to_rebuild(architecture: ArchitectureName) -> None:
    errors = [health.reconstruction_error for health in play(PLAIN, 150, architecture).health]
    assert errors[-1] < 0.8 * errors[0]


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_a_detector_of_every_architecture_tells_a_fault_and_comes_back_from_its_file(
    architecture: ArchitectureName, train_series: TimeSeries, series: TimeSeries, config: DetectorConfig
) -> None:
    chosen = config.model_copy(update={"architecture": architecture, "minibatch_statistics": True, "steps": 60})
    detector = Detector.fit(train_series, chosen)
    scores = detector.score(series)
    loaded = Detector(unpack(pack(detector.parts), "x"))
    assert loaded.config.architecture == architecture
    np.testing.assert_array_equal(loaded.score(series), scores)
    broken = dataclasses.replace(series, values=series.values[::-1] * 3.0)
    assert np.nanmedian(detector.score(broken)) > np.nanquantile(scores, 0.95)


# ---------------------------------------------------------------- growth


def grown(networks: Generator) -> float:
    return float(networks.get_buffer("body.grown"))


def stop_at(step: int) -> Callable[[TrainingStep], None]:
    def watch(now: TrainingStep) -> None:
        if now.step == step:
            raise KeyboardInterrupt

    return watch


def test_the_best_step_of_what_grows_is_one_of_grown_networks() -> None:
    result = play(PLAIN, 150, "progressive")
    assert result.best_step >= GROWN_AT * 150
    assert grown(result.networks.generator) == 1.0


def test_an_interrupt_before_networks_are_grown_keeps_them_as_far_as_they_are() -> None:
    result = play(PLAIN, 200, "progressive", watch=stop_at(30))
    networks = result.networks
    assert (result.stopped, result.best_step) == ("interrupted", 30)
    buffers = [b for n in (networks.generator, networks.encoder, networks.discriminator) for b in _growth(n)]
    assert [float(buffer) for buffer in buffers] == [pytest.approx(30 / (GROWN_AT * 200))] * 3
    assert all(np.isfinite(health.best_reconstruction_error) for health in result.health)


def _growth(network: torch.nn.Module) -> list[Tensor]:
    return [buffer for name, buffer in network.named_buffers() if name.endswith("grown")]


def test_a_critic_without_its_penalty_is_bounded_by_its_weights() -> None:
    bounded, free = (play(PLAIN, 40, "conv", loss="wgan-gp", penalty=weight) for weight in (0.0, 10.0))
    norms = [
        torch.linalg.matrix_norm(result.networks.discriminator.get_parameter("head.weight"), 2).item()
        for result in (bounded, free)
    ]
    assert norms[0] == pytest.approx(1.0, rel=1e-3)
    assert abs(norms[1] - 1.0) > 1e-2
