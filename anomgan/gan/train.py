"""THE adversarial loop: generator, encoder and discriminator learn what normal windows look like.

Three things pull on the generator side (generator and encoder, trained as one):

- adversarial: the discriminator should take G(z) and G(E(x~)) for real;
- reconstruction: G(E(x~)) should be x, or go with what is shown of it, where x~ is x worn or partly hidden
  (`attempts`), so that the networks learn what belongs together and can complete what is missing;
- latent: E(G(z)) should be z, so that the latent space is used as it is sampled (as in Donahue et al. 2017, BiGAN).

The discriminator tells real windows from what is not: generated ones, reconstructions, and, for a detector, real
windows that were disturbed (`disturb`). The last two lie close to the normal manifold, where its output has to mean
something. All that is made or judged may be conditioned (Mirza & Osindero 2014, "Conditional generative adversarial
nets").

What steadies the game is chosen by name in the configuration: spectral normalisation, a gradient penalty, two learning
rates (Heusel et al. 2017, "GANs trained by a two time-scale update rule"), a moving average of the weights (Yazıcı et
al. 2019, "The unusual effectiveness of averaging in GAN training"), minibatch statistics, augmentation.
"""

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from anomgan.config import GameConfig
from anomgan.errors import ConfigError, TrainingDiverged
from anomgan.game import COLLAPSED_BELOW
from anomgan.gan.attempts import ATTEMPTS, grain_for, see, translate, uniform_latents
from anomgan.gan.augment import augment
from anomgan.gan.disturb import disturb
from anomgan.gan.losses import LOSSES, gradient_penalty
from anomgan.gan.networks import Discriminator, Encoder, Generator, Networks, fold_spectral_norm, grow
from anomgan.gan.private import Optimiser, Private
from anomgan.gan.shape import Shape
from anomgan.gan.watch import MOST, Fixed, TrainingHealth, TrainingResult, TrainingStep, held_out_error, spread

__all__ = ["Normal", "TrainingHealth", "TrainingResult", "TrainingStep", "choose_device", "train"]

HEALTH_EVERY = 25
LATENT_WEIGHT = 0.5
COLDEST = 0.1
MARGIN = 1.1
SMALLEST_REACH = 0.1
EVERY = slice(None)
GROWN_AT = 0.5
"""the share of the steps by which networks that grow have done so"""


class Normal(NamedTuple):
    """Normal windows (N, C, L), scaled, without NaN, and the conditions they were recorded under (N, K)."""

    windows: NDArray[np.float32]
    conditions: NDArray[np.float32]
    overlap: int = 1
    """one in so many shares no row with the others"""

    @classmethod
    def unconditioned(cls, windows: NDArray[np.float32], overlap: int = 1) -> "Normal":
        """Windows (N, C, L) under no conditions, (N, 0)."""
        return cls(windows, np.empty((len(windows), 0), np.float32), overlap)


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one; ConfigError where a CUDA is asked for that is not there."""
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise ConfigError("device = 'cuda': this PyTorch finds no CUDA device; use 'auto' or 'cpu'")
    return torch.device("cuda" if present and name != "cpu" else "cpu")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks this small train faster on one core than on several, and the same on any number of them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@_one_thread()
def train(
    sample: Callable[[np.random.Generator, int], Normal],
    holdout: Normal,
    reach: NDArray[np.float32],
    shape: Shape,
    config: GameConfig,
    steps: int,
    on_step: Callable[[TrainingStep], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    crossed: slice = EVERY,
    fine: NDArray[np.float32] | None = None,
    private: Private | None = None,
) -> TrainingResult:
    """Play the game for at most `steps` steps.

    `sample(rng, B)` gives B normal windows; `holdout` are N later ones that only choose the best step and stop the game
    early; `reach` (2, C) is the lowest and the highest value that the generator has to make of each channel.
    `crossed` are the columns of the conditions that windows are sent across, where `cycle_weight` says so; `fine`
    (scales, C) how far rows usually are from the next, where cells are hidden.
    `private` windows are the only real ones where it is given: then sample and holdout must stand in for them.
    KeyboardInterrupt ends it and keeps the best so far.
    The same seed gives the same result bit for bit on the same CPU. Global random state is left as it was.
    Raises TrainingDiverged when a loss is not finite.
    """
    device = choose_device(config.device)
    loss = LOSSES[config.loss]
    penalty = loss.penalty if config.gradient_penalty is None else config.gradient_penalty
    bounded = loss.penalty and penalty  # a critic needs one bound or the other
    normalised = (config.normalisation or ("none" if bounded else "spectral")) == "spectral"
    attempt = ATTEMPTS[shape.hiding]
    rng = np.random.default_rng(config.seed)
    dice = torch.Generator(device="cpu").manual_seed(config.seed)

    # ---- networks and optimisers
    with torch.random.fork_rng(devices=[]):
        # Module initialisers know only the CPU's global generator, which is restored on leaving.
        torch.default_generator.manual_seed(config.seed)
        generator, encoder = Generator(shape, config.architecture), Encoder(shape, config.architecture).to(device)
        discriminator = Discriminator(shape, config.architecture, normalised=normalised and private is None).to(device)
    low, high = torch.from_numpy(reach)[:, :, None]  # (C, 1) each
    generator.centre.copy_((low + high) / 2)
    generator.reach.copy_((MARGIN * (high - low) / 2).clamp_min(SMALLEST_REACH))
    if fine is not None:
        generator.fine.copy_(torch.from_numpy(fine))
    generator.to(device)
    makers = nn.ModuleList([generator, encoder])
    slow_generator, slow_encoder = copy.deepcopy(generator), copy.deepcopy(encoder)
    averaged = nn.ModuleList([slow_generator, slow_encoder]).eval().requires_grad_(False)
    players = nn.ModuleList([generator, encoder, discriminator, slow_generator, slow_encoder])
    betas = (0.5, 0.9)
    make = torch.optim.Adam(makers.parameters(), lr=config.learning_rate, betas=betas, fused=True)
    adam = torch.optim.Adam(discriminator.parameters(), lr=config.learning_rate, betas=betas, fused=True)
    judge: Optimiser = adam if private is None else private.guard(discriminator, adam, normalised=normalised)
    rates = (config.learning_rate, config.discriminator_learning_rate or config.learning_rate)
    held, held_y = (torch.from_numpy(part).to(device) for part in holdout[:2])  # (N, C, L), (N, K)
    apart = slice(None, MOST * holdout.overlap, holdout.overlap)
    fixed = Fixed(held[apart], held_y[apart], config.seed)

    # ---- what is remembered
    history: list[TrainingHealth] = []
    kept = (slow_generator, slow_encoder, discriminator)
    best, best_step, best_error = kept, 0, float("inf")
    unimproved, done, stopped, started = 0, 0, "finished", clock()

    def uniform(*size: int) -> Tensor:
        return torch.rand(*size, generator=dice).to(device)

    def judged(parts: list[Tensor], under: list[Tensor]) -> Tensor:
        """Logits (P B, H) of P parts of a batch (B, C, L), each under its conditions (B, K)."""
        x = torch.cat(parts)
        if config.augmentation:
            x = augment(x, config.augmentation, dice)
        told: Tensor = discriminator(x, torch.cat(under), groups=len(parts))[0]
        return told

    try:
        for index in range(1, steps + 1):
            _set_learning_rates((make, judge), rates, _cooling(index / steps))
            grown = min(1.0, index / (GROWN_AT * steps))
            growing = grow(players, grown) and grown < 1.0
            x, y = (torch.from_numpy(part).to(device) for part in sample(rng, config.batch)[:2])  # (B, C, L), (B, K)

            # ---- what the generator side makes of it; both players see the same
            tried = attempt(generator, encoder, x, y, dice)
            z = uniform_latents(shape, x, dice)
            made, under = (
                [generator(z, y, grain_for(shape, x, dice)), tried.windows],
                [y, tried.conditions],
            )  # (B, C, L)
            sent = translate(generator, encoder, x, y, crossed, dice) if config.cycle_weight else None
            if sent is not None:
                made, under = [*made, sent.windows], [*under, sent.conditions]

            # ---- discriminator
            fakes = [windows.detach() for windows in made] + ([] if shape.hiding else [disturb(x, dice)])
            real, real_y = (x, y) if private is None else private.real(device)
            logit = judged([real, *fakes], [real_y, *under] + ([] if shape.hiding else [y]))  # (3B to 5B, H)
            logit_real, logit_fake = logit[: len(real)], logit[len(real) :]
            loss_d = loss.discriminator(logit_real, logit_fake)
            if penalty:
                mix = uniform(len(x), 1, 1)
                loss_d = loss_d + penalty * gradient_penalty(_critic(discriminator, y), x, fakes[0], mix)
            judge.zero_grad(set_to_none=True)
            torch.autograd.backward(loss_d)
            judge.step()

            # ---- generator and encoder
            discriminator.requires_grad_(False)
            latent = functional.mse_loss(encoder(see(made[0], shape), y), z)
            loss_g = (
                config.adversarial_weight * loss.generator(judged(made, under))
                + config.reconstruction_weight * tried.error
                + LATENT_WEIGHT * latent
            )
            if sent is not None:
                loss_g = loss_g + (config.cycle_weight or 0.0) * sent.error
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
                error = held_out_error(slow_generator, slow_encoder, held, held_y, config.seed)
                if not np.isfinite(error):
                    raise TrainingDiverged(f"step {index} of {steps}: the held-out reconstruction error is {error}")
                improved = error < best_error and not growing
                if improved:
                    best, best_step, best_error = copy.deepcopy(kept), index, error
                unimproved = 0 if improved or growing else unimproved + 1
                covered, dense = fixed.coverage_and_density(slow_generator, slow_encoder)
                diversity = spread(made[0]) / max(spread(x), 1e-9)
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
                    coverage=covered,
                    density=dense,
                    reconstruction_error=error,
                    best_reconstruction_error=min(best_error, error),
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
    best[2].settle(held)
    for network in best:
        network.cpu().requires_grad_(False).eval()
        fold_spectral_norm(network)
    networks = Networks(shape, *best)
    seconds = clock() - started
    return TrainingResult(networks, tuple(history), done, best_step, seconds, stopped, str(device))


def _cooling(progress: float) -> float:
    """The learning rate's course over a run: half a cosine from 1 down to COLDEST (Loshchilov & Hutter 2017, eq. 5)."""
    return COLDEST + (1.0 - COLDEST) * 0.5 * (1.0 + math.cos(math.pi * progress))


def _set_learning_rates(optimisers: Iterable[Optimiser], rates: Iterable[float], cooling: float) -> None:
    for optimiser, rate in zip(optimisers, rates, strict=True):
        for group in optimiser.param_groups:
            group["lr"] = rate * cooling


def _critic(discriminator: Discriminator, y: Tensor) -> Callable[[Tensor], Tensor]:
    """What the penalty holds to a slope of 1: the mean of the logits, as the losses are means over them."""
    return lambda x: discriminator(x, y)[0].mean(1)


@torch.no_grad()
def _follow(averaged: nn.Module, current: nn.Module, decay: float) -> None:
    """Exponential moving average of the parameters."""
    for slow, fast in zip(averaged.parameters(), current.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - decay)
