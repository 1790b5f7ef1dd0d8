"""THE adversarial loop: generator, encoder and discriminator learn what normal windows look like.

Three things pull on the generator side (generator and encoder, trained as one):

- adversarial: the discriminator should take G(z) and G(E(x)) for real;
- reconstruction: G(E(x~)) should be x, where x~ is x with mild noise and now and then a missing channel, so that the
  networks learn what belongs together and can complete what is missing;
- latent: E(G(z)) should be z, so that the latent space is used as it is sampled (as in Donahue et al. 2017, BiGAN).

The discriminator tells real windows from three kinds of not normal: generated ones, reconstructions, and real windows
that were disturbed (`disturb`). The last two lie close to the normal manifold, where its output has to mean something.
"""

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from anomgan.config import DetectorConfig
from anomgan.errors import ConfigError, TrainingDiverged
from anomgan.game import COLLAPSED_BELOW
from anomgan.gan.disturb import disturb, wear
from anomgan.gan.losses import LOSSES, gradient_penalty
from anomgan.gan.networks import Discriminator, Encoder, Generator, Shape, fold_spectral_norm

HEALTH_EVERY = 25
LATENT_WEIGHT = 0.5
COLDEST = 0.1
MARGIN = 1.1
SMALLEST_REACH = 0.1


@dataclass(slots=True)
class Networks:
    """The three networks that a detector keeps."""

    shape: Shape
    generator: Generator
    encoder: Encoder
    discriminator: Discriminator


@dataclass(frozen=True, slots=True)
class TrainingHealth:
    """One look at the game. Accuracies are shares of a batch; diversity is the mean distance between generated
    windows relative to that between real ones (near 0 = mode collapse); reconstruction_error is the mean absolute
    error on held-out normal windows, in scaled units, of the averaged generator side."""

    step: int
    steps: int
    seconds: float
    discriminator_loss: float
    generator_loss: float
    accuracy_real: float
    accuracy_generated: float
    diversity: float
    collapsed: bool
    reconstruction_error: float
    best_reconstruction_error: float


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """What `on_step` gets after every step; `health` only when it was looked at."""

    step: int
    steps: int
    health: TrainingHealth | None


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Networks folded and in eval mode on the CPU; stopped is one of finished, early, interrupted."""

    networks: Networks
    health: tuple[TrainingHealth, ...]
    steps: int
    best_step: int
    seconds: float
    stopped: str
    device: str


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one; ConfigError where a CUDA is asked for that is not there."""
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise ConfigError("device = 'cuda': this PyTorch finds no CUDA device; use 'auto' or 'cpu'")
    return torch.device("cuda" if present and name != "cpu" else "cpu")


def train(
    sample: Callable[[np.random.Generator, int], NDArray[np.float32]],
    holdout: NDArray[np.float32],
    reach: NDArray[np.float32],
    shape: Shape,
    config: DetectorConfig,
    steps: int,
    on_step: Callable[[TrainingStep], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> TrainingResult:
    """Play the game for at most `steps` steps.

    `sample(rng, B)` gives normal windows (B, C, L), scaled, without NaN; `holdout` (N, C, L) are later normal windows
    that only choose the best step and stop the game early; `reach` (2, C) is the lowest and the highest value that the
    generator has to make of each channel. KeyboardInterrupt ends it and keeps the best so far.
    The same seed gives the same result bit for bit on the same CPU. Global random state is left as it was.
    Raises TrainingDiverged when a loss is not finite.
    """
    with _one_thread():
        return _play(sample, holdout, reach, shape, config, steps, on_step, clock)


def _play(
    sample: Callable[[np.random.Generator, int], NDArray[np.float32]],
    holdout: NDArray[np.float32],
    reach: NDArray[np.float32],
    shape: Shape,
    config: DetectorConfig,
    steps: int,
    on_step: Callable[[TrainingStep], None] | None,
    clock: Callable[[], float],
) -> TrainingResult:
    device = choose_device(config.device)
    loss = LOSSES[config.loss]
    rng = np.random.default_rng(config.seed)
    dice = torch.Generator(device="cpu").manual_seed(config.seed)

    # ---- networks and optimisers
    with torch.random.fork_rng(devices=[]):
        # Module initialisers know only the CPU's global generator, which is restored on leaving.
        torch.default_generator.manual_seed(config.seed)
        generator, encoder = Generator(shape), Encoder(shape).to(device)
        discriminator = Discriminator(shape, normalised=loss.spectral).to(device)
    low, high = torch.from_numpy(reach)[:, :, None]  # (C, 1) each
    generator.centre.copy_((low + high) / 2)
    generator.reach.copy_((MARGIN * (high - low) / 2).clamp_min(SMALLEST_REACH))
    generator.to(device)
    makers = nn.ModuleList([generator, encoder])
    slow_generator, slow_encoder = copy.deepcopy(generator), copy.deepcopy(encoder)
    averaged = nn.ModuleList([slow_generator, slow_encoder]).eval().requires_grad_(False)
    betas = (0.5, 0.9)
    make = torch.optim.Adam(makers.parameters(), lr=config.learning_rate, betas=betas, fused=True)
    judge = torch.optim.Adam(discriminator.parameters(), lr=config.learning_rate, betas=betas, fused=True)
    held = torch.from_numpy(holdout).to(device)  # (N, C, L)

    # ---- what is remembered
    history: list[TrainingHealth] = []
    kept = (slow_generator, slow_encoder, discriminator)
    best, best_step, best_error = kept, 0, float("inf")
    unimproved, done, stopped, started = 0, 0, "finished", clock()

    def uniform(*size: int) -> Tensor:
        return torch.rand(*size, generator=dice).to(device)

    def latent(count: int) -> Tensor:
        return 2.0 * uniform(count, shape.latent) - 1.0  # (B, Z)

    try:
        for index in range(1, steps + 1):
            _set_learning_rate((make, judge), config.learning_rate * _cooling(index / steps))
            x = torch.from_numpy(sample(rng, config.batch)).to(device)  # (B, C, L)
            x_worn = wear(x, dice)
            z = latent(len(x))

            # ---- what the generator side makes of it; both players see the same
            made, rebuilt = generator(z), generator(encoder(x_worn))  # (B, C, L) each

            # ---- discriminator
            fakes = (made.detach(), rebuilt.detach(), disturb(x, dice))
            fake = torch.cat(fakes)  # (3B, C, L)
            logit, _ = discriminator(torch.cat([x, fake]))
            logit_real, logit_fake = logit[: len(x)], logit[len(x) :]
            loss_d = loss.discriminator(logit_real, logit_fake)
            if loss.penalty:
                mix = uniform(len(x), 1, 1)
                loss_d = loss_d + loss.penalty * gradient_penalty(lambda w: discriminator(w)[0], x, fakes[0], mix)
            judge.zero_grad(set_to_none=True)
            torch.autograd.backward(loss_d)
            judge.step()

            # ---- generator and encoder
            discriminator.requires_grad_(False)
            logit_made, _ = discriminator(torch.cat([made, rebuilt]))
            reconstruction = functional.smooth_l1_loss(rebuilt, x, beta=0.5)
            cycle = functional.mse_loss(encoder(made), z)
            loss_g = (
                config.adversarial_weight * loss.generator(logit_made)
                + config.reconstruction_weight * reconstruction
                + LATENT_WEIGHT * cycle
            )
            make.zero_grad(set_to_none=True)
            torch.autograd.backward(loss_g)
            make.step()
            discriminator.requires_grad_(True)
            _follow(averaged, makers, min(config.ema_decay, index / (index + 10)))

            # ---- health
            done = index
            d_value, g_value = loss_d.item(), loss_g.item()
            if not (np.isfinite(d_value) and np.isfinite(g_value)):
                raise TrainingDiverged(
                    f"step {index} of {steps}: discriminator loss {d_value}, generator loss {g_value} "
                    f"(loss {config.loss!r}, learning rate {config.learning_rate}); a lower learning rate may help"
                )
            health = None
            if index % HEALTH_EVERY == 0 or index == steps:
                error = _reconstruction_error(slow_generator, slow_encoder, held)
                if not np.isfinite(error):
                    raise TrainingDiverged(f"step {index} of {steps}: the held-out reconstruction error is {error}")
                improved = error < best_error
                if improved:
                    best, best_step, best_error = copy.deepcopy(kept), index, error
                unimproved = 0 if improved else unimproved + 1
                diversity = _spread(made) / max(_spread(x), 1e-9)
                health = TrainingHealth(
                    step=index,
                    steps=steps,
                    seconds=clock() - started,
                    discriminator_loss=d_value,
                    generator_loss=g_value,
                    accuracy_real=(logit_real > 0).float().mean().item(),
                    accuracy_generated=(logit_fake[: len(x)] <= 0).float().mean().item(),
                    diversity=diversity,
                    collapsed=diversity < COLLAPSED_BELOW,
                    reconstruction_error=error,
                    best_reconstruction_error=best_error,
                )
                history.append(health)
            if on_step is not None:
                on_step(TrainingStep(index, steps, health))
            if unimproved >= config.patience:
                stopped = "early"
                break
    except KeyboardInterrupt:
        stopped = "interrupted"

    # ---- the best so far; before the first look at the game that is what there is
    if best_step == 0:
        best, best_step = kept, done
    for network in best:
        network.cpu().requires_grad_(False).eval()
        fold_spectral_norm(network)
    networks = Networks(shape, *best)
    seconds = clock() - started
    return TrainingResult(networks, tuple(history), done, best_step, seconds, stopped, str(device))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks this small train faster on one core than on several, and the same on any number of them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _cooling(progress: float) -> float:
    """The learning rate's course over a run: half a cosine from 1 down to COLDEST (Loshchilov & Hutter 2017, eq. 5)."""
    return COLDEST + (1.0 - COLDEST) * 0.5 * (1.0 + math.cos(math.pi * progress))


def _set_learning_rate(optimisers: Iterable[torch.optim.Optimizer], rate: float) -> None:
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate


@torch.no_grad()
def _follow(averaged: nn.Module, current: nn.Module, decay: float) -> None:
    """Exponential moving average of the parameters."""
    for slow, fast in zip(averaged.parameters(), current.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - decay)


@torch.inference_mode()
def _reconstruction_error(generator: Generator, encoder: Encoder, held: Tensor) -> float:
    return float((generator(encoder(held)) - held).abs().mean())


@torch.no_grad()
def _spread(windows: Tensor) -> float:
    """Mean distance between neighbours in a shuffled batch (B, C, L)."""
    return float((windows - windows.roll(1, 0)).flatten(1).square().mean(1).sqrt().mean())
