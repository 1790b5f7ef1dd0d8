"""The adversarial loop: repeatable, watched, stoppable, and it learns."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from anomgan.config import DetectorConfig, LossName
from anomgan.errors import ConfigError, TrainingDiverged
from anomgan.game import COLLAPSED_BELOW
from anomgan.gan.losses import LOSSES
from anomgan.gan.shape import Shape
from anomgan.gan.train import (
    HEALTH_EVERY,
    MARGIN,
    SMALLEST_REACH,
    Normal,
    TrainingResult,
    TrainingStep,
    choose_device,
    train,
)

Windows = NDArray[np.float32]
SHAPE = Shape(channels=2, window=16, latent=3, width=4)


def sines(rng: np.random.Generator, count: int) -> Windows:
    """Two coupled sines at a random phase (count, 2, 16)."""
    phase = rng.uniform(0, 2 * np.pi, (count, 1)) + np.arange(16) / 3.0
    return np.stack([np.sin(phase), np.cos(phase)], axis=1).astype(np.float32)


def sampled(rng: np.random.Generator, count: int) -> Normal:
    return Normal.unconditioned(sines(rng, count))


HELD = sampled(np.random.default_rng(99), 64)
REACH = np.array([[-1.0, -1.0], [1.0, 1.0]], np.float32)


def small(**changes: Any) -> DetectorConfig:
    return DetectorConfig(**{"window": 16, "latent": 3, "width": 4, "batch": 16, "device": "cpu", **changes})


def play(steps: int, on_step: Callable[[TrainingStep], None] | None = None, **changes: Any) -> TrainingResult:
    return train(sampled, HELD, REACH, SHAPE, small(**{"patience": 10_000, **changes}), steps, on_step)


def logits(result: TrainingResult, windows: Windows) -> NDArray[np.float32]:
    return np.asarray(result.networks.discriminator(torch.from_numpy(windows))[0].mean(1))


def rebuild(result: TrainingResult, windows: Windows) -> Windows:
    networks = result.networks
    return np.asarray(networks.generator(networks.encoder(torch.from_numpy(windows))))


def weights(result: TrainingResult) -> list[torch.Tensor]:
    networks = result.networks
    return [p for n in (networks.generator, networks.encoder, networks.discriminator) for p in n.state_dict().values()]


@pytest.mark.parametrize("loss", list(LOSSES))
def test_every_loss_trains_stays_finite_and_hands_over_plain_frozen_networks(loss: LossName) -> None:
    result = play(30, loss=loss)
    assert (result.steps, result.stopped, result.device) == (30, "finished", "cpu")
    assert [health.step for health in result.health] == [HEALTH_EVERY, 30]
    for health in result.health:
        assert np.isfinite([health.discriminator_loss, health.generator_loss, health.diversity]).all()
        assert 0 <= health.accuracy_real <= 1
        assert 0 <= health.accuracy_generated <= 1
        assert health.reconstruction_error >= health.best_reconstruction_error > 0
    assert all(torch.isfinite(weight).all() for weight in weights(result))
    for network in (result.networks.generator, result.networks.encoder, result.networks.discriminator):
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert not any(nn.utils.parametrize.is_parametrized(layer) for layer in network.modules())


@pytest.fixture(scope="module")
def long_game() -> TrainingResult:
    return play(150, learning_rate=3e-3)


def test_training_makes_the_reconstruction_better(long_game: TrainingResult) -> None:
    errors = [health.reconstruction_error for health in long_game.health]
    assert errors[-1] < 0.7 * errors[0]


def test_the_discriminator_learns_to_tell_real_windows_from_noise(long_game: TrainingResult) -> None:
    noise = np.random.default_rng(5).normal(size=HELD.windows.shape).astype(np.float32)
    calm, loud = logits(long_game, HELD.windows), logits(long_game, noise)
    assert np.mean(calm[:, None] > loud[None, :]) > 0.75


@pytest.mark.parametrize("loss", list(LOSSES))
def test_the_same_seed_gives_the_same_weights_bit_for_bit_and_another_seed_others(loss: LossName) -> None:
    first = play(6, loss=loss, seed=3)
    torch.manual_seed(12345)
    for a, b in zip(weights(first), weights(play(6, loss=loss, seed=3)), strict=True):
        assert torch.equal(a, b)
    assert any(not torch.equal(a, b) for a, b in zip(weights(first), weights(play(6, loss=loss, seed=4)), strict=True))


def test_the_global_random_state_is_left_as_it_was() -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002 - that it does not move is the law
    play(3)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state[1])  # noqa: NPY002 - as above


def test_the_number_of_threads_is_put_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        play(1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_on_step_hears_of_every_step_and_health_now_and_then() -> None:
    heard: list[TrainingStep] = []
    result = play(55, heard.append)
    assert [step.step for step in heard] == list(range(1, 56))
    assert {step.steps for step in heard} == {55}
    assert tuple(step.health for step in heard if step.health is not None) == result.health
    assert [health.step for health in result.health] == [25, 50, 55]


def interrupt_at(step: int) -> Callable[[TrainingStep], None]:
    def on_step(now: TrainingStep) -> None:
        if now.step == step:
            raise KeyboardInterrupt

    return on_step


def test_an_interrupt_keeps_the_best_so_far() -> None:
    later, at_once = play(100, interrupt_at(40)), play(100, interrupt_at(25))
    assert (later.stopped, later.steps, later.best_step) == ("interrupted", 40, 25)
    for a, b in zip(weights(later), weights(at_once), strict=True):
        assert torch.equal(a, b)


def test_an_interrupt_before_the_first_look_keeps_what_was_learned() -> None:
    early, earlier = play(100, interrupt_at(20)), play(100, interrupt_at(10))
    assert (early.stopped, early.steps, early.best_step) == ("interrupted", 20, 20)
    errors = [np.abs(rebuild(result, HELD.windows) - HELD.windows).mean() for result in (earlier, early)]
    assert errors[1] < errors[0]


def test_an_error_in_on_step_is_not_swallowed() -> None:
    def broken(_: TrainingStep) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        play(5, broken)


def test_a_learning_rate_beyond_reason_diverges_and_says_where() -> None:
    with pytest.raises(TrainingDiverged, match=r"step \d+ of 200"):
        play(200, learning_rate=1e18)


def test_a_loss_that_is_not_finite_raises_at_once() -> None:
    def poisoned(rng: np.random.Generator, count: int) -> Normal:
        return Normal.unconditioned(np.full((count, 2, 16), np.nan, np.float32))

    with pytest.raises(TrainingDiverged, match="step 1 of 9"):
        train(poisoned, HELD, REACH, SHAPE, small(), 9)


def test_a_held_out_error_that_is_not_finite_raises() -> None:
    with pytest.raises(TrainingDiverged, match="held-out"):
        train(sampled, Normal.unconditioned(np.full_like(HELD.windows, np.nan)), REACH, SHAPE, small(), 3)


def test_training_stops_early_when_the_held_out_error_no_longer_falls() -> None:
    """What is held out is the contrary of what is learned, so learning makes it worse."""
    held = Normal.unconditioned(-5 * HELD.windows[:, ::-1].copy())
    result = train(sampled, held, 5 * REACH, SHAPE, small(patience=2, learning_rate=1e-2), 2000)
    errors = [health.reconstruction_error for health in result.health]
    assert result.stopped == "early"
    assert result.best_step == HEALTH_EVERY * (1 + int(np.argmin(errors)))
    assert result.steps == result.best_step + 2 * HEALTH_EVERY


def test_generated_windows_that_are_all_alike_are_called_a_collapse(long_game: TrainingResult) -> None:
    """A generator that has hardly moved makes windows that differ little beside real ones that differ a lot."""

    def wide(rng: np.random.Generator, count: int) -> Normal:
        return Normal.unconditioned(1e3 * sines(rng, count))

    held = Normal.unconditioned(1e3 * HELD.windows)
    alike = train(wide, held, 1e3 * REACH, SHAPE, small(learning_rate=1e-9), 1).health[-1]
    assert alike.diversity < COLLAPSED_BELOW
    assert alike.collapsed
    healthy = long_game.health[-1]
    assert healthy.diversity > 3 * COLLAPSED_BELOW
    assert not healthy.collapsed


def test_constant_windows_train_without_dividing_by_zero() -> None:
    def still(rng: np.random.Generator, count: int) -> Normal:
        return Normal.unconditioned(np.zeros((count, 2, 16), np.float32))

    result = train(still, still(np.random.default_rng(0), 8), np.zeros((2, 2), np.float32), SHAPE, small(), 30)
    assert np.isfinite(result.health[-1].diversity)


def test_time_comes_from_the_clock_given() -> None:
    ticks: Iterator[int] = count()
    result = train(sampled, HELD, REACH, SHAPE, small(), 25, clock=lambda: float(next(ticks)))
    assert result.health[0].seconds == 1.0
    assert result.seconds == 2.0


def test_the_training_windows_are_left_alone() -> None:
    pool = sines(np.random.default_rng(0), 64)
    kept = pool.copy()
    train(lambda rng, n: Normal.unconditioned(pool[:n]), HELD, REACH, SHAPE, small(), 5)
    np.testing.assert_array_equal(pool, kept)


# ---------------------------------------------------------------- the generator's reach


def test_the_generator_s_bounds_are_a_tenth_wider_than_what_it_has_to_reach() -> None:
    reach = np.array([[-1.0, 0.5], [3.0, 0.5]], np.float32)
    generator = train(sampled, HELD, reach, SHAPE, small(), 2).networks.generator
    torch.testing.assert_close(generator.centre, torch.tensor([[1.0], [0.5]]))
    torch.testing.assert_close(generator.reach, torch.tensor([[MARGIN * 2.0], [SMALLEST_REACH]]))


def test_bounds_are_the_same_whatever_training_makes_of_the_weights(long_game: TrainingResult) -> None:
    generator = long_game.networks.generator
    torch.testing.assert_close(generator.centre, torch.zeros(2, 1), rtol=0, atol=0)
    torch.testing.assert_close(generator.reach, torch.full((2, 1), MARGIN))
    far = rebuild(long_game, 100.0 * HELD.windows)
    assert np.abs(far).max() <= MARGIN + 1e-5


# ---------------------------------------------------------------- devices


def test_auto_finds_a_device_and_an_absent_cuda_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(ConfigError, match="cuda"):
        choose_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_on_cuda_hands_over_networks_on_the_cpu_and_leaves_its_random_state_alone() -> None:
    before = torch.cuda.get_rng_state()
    result = play(30, device="cuda")
    assert torch.equal(torch.cuda.get_rng_state(), before)
    assert result.device == "cuda"
    assert {weight.device.type for weight in weights(result)} == {"cpu"}
