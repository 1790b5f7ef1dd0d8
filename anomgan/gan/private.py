"""The discriminator's update where real windows are private: each one's gradient is clipped, and the sum gets noise.

Abadi et al. 2016, "Deep learning with differential privacy", algorithm 1, for the discriminator of a GAN as in Xie et
al. 2018, "Differentially private generative adversarial network": the generator learns of real windows only what the
discriminator has learned of them, which costs nothing more (post-processing). So no other part of the game may be shown
a real window. Per-window gradients, clipping and noise are Opacus' (Yousefpour et al. 2021).

- Real windows are drawn by Poisson sampling, each record alone with the same probability, as the accountant assumes.
  How many that are is secret too: generated windows are always as many, and sums are divided by the expected number.
- Generated windows are clipped alike, so that neither side of the game pulls harder; they need no noise.
- Spectral normalisation divides the weights after each update. Within it, as PyTorch has it, no gradient would be of
  one window and one layer alone. What is done to weights that are noisy already is post-processing.
"""

from collections.abc import Callable
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from anomgan.errors import ConfigError

FIRST_TURNS = 30
"""of the power iteration, before the first update; one after each"""


class Optimiser(Protocol):
    """What the loop asks of an optimiser."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Parameters and their learning rates."""

    def zero_grad(self, set_to_none: bool = ...) -> None:
        """Forget the gradients."""

    def step(self) -> None:
        """Update the parameters."""


class Private:
    """Real windows for the discriminator alone, and the optimiser that learns from them.

    draw() gives a Poisson sample of windows (b, C, L) under conditions (b, K), on average `expected` of them;
    noise_multiplier is the noise's standard deviation in units of max_grad_norm, which bounds each window's gradient;
    whoever knows `seed` can take the noise away again.
    """

    def __init__(
        self,
        draw: Callable[[], tuple[Tensor, Tensor]],
        expected: float,
        noise_multiplier: float,
        max_grad_norm: float,
        seed: int,
    ) -> None:
        self._draw, self._expected = draw, expected
        self._noise_multiplier, self._max_grad_norm, self._seed = noise_multiplier, max_grad_norm, seed
        self._discriminator: nn.Module = nn.Identity()
        self._directions: dict[nn.Parameter, Tensor] = {}
        self._watched: Any = None
        self._optimiser: Any = None
        self._drawn = self._shown = 0
        self.updates = 0

    def guard(self, discriminator: nn.Module, optimiser: torch.optim.Optimizer, *, normalised: bool) -> Self:
        """The same optimiser, clipping and noising, for a discriminator whose layers are plain."""
        from opacus.optimizers import DPOptimizer

        weights = list(discriminator.parameters())
        self._discriminator = discriminator
        self._optimiser = DPOptimizer(
            optimiser,
            noise_multiplier=self._noise_multiplier,
            max_grad_norm=self._max_grad_norm,
            expected_batch_size=self._expected,
            generator=torch.Generator(weights[0].device).manual_seed(self._seed),
            secure_mode=True,  # sums of several draws: the last bits of one tell what it was added to
        )
        for weight in weights if normalised else ():
            if weight.dim() > 1:
                self._directions[weight] = torch.ones_like(weight[0].flatten())
        self._normalise(FIRST_TURNS)
        return self

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of the optimiser underneath."""
        groups: list[dict[str, Any]] = self._optimiser.param_groups
        return groups

    def real(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Windows (b, C, L) and conditions (b, K) for the next update, which has to follow; a blank one for none."""
        from opacus import GradSampleModule

        x, y = self._draw()
        self._drawn, self._shown = len(x), max(1, len(x))
        if self._drawn == 0:
            x, y = x.new_zeros(1, *x.shape[1:]), y.new_zeros(1, *y.shape[1:])
        self.updates += 1  # before it can be interrupted
        self._watched = GradSampleModule(self._discriminator, loss_reduction="sum")
        return x.to(device).requires_grad_(), y.to(device)  # without, its hooks on the first layer would complain

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Nothing is left of an update."""

    def step(self) -> None:
        """Update by the gradients of each window, of which the real ones come first, of a loss that is the mean over
        real ones and the mean over generated ones."""
        weights: list[Any] = list(self._discriminator.parameters())
        total = max(len(weight.grad_sample) for weight in weights if weight.grad_sample is not None)
        times = torch.full((total,), float(self._expected), device=weights[0].device)
        times[: self._shown] = float(self._drawn)  # the sums that the means were of, but for their divisor
        for weight in weights:
            each = weight.new_zeros(total, *weight.shape) if weight.grad_sample is None else weight.grad_sample
            weight.grad_sample = each * times.view(-1, *[1] * weight.dim())  # None: a layer that has not grown yet
        self._optimiser.step()
        self._optimiser.zero_grad()
        self._watched.to_standard_module()
        self._normalise(1)

    @torch.no_grad()
    def _normalise(self, turns: int) -> None:
        """Divide weights by their spectral norm, found by power iteration (Miyato et al. 2018, algorithm 1)."""
        for weight, direction in self._directions.items():
            matrix = weight.flatten(1)
            for _ in range(turns):
                left = functional.normalize(matrix @ direction, dim=0)
                direction = functional.normalize(left @ matrix, dim=0)
            self._directions[weight] = direction
            weight.div_((left @ matrix @ direction).clamp_min(1e-12))


def need_opacus() -> None:
    """ConfigError where it is not installed."""
    try:
        import opacus  # noqa: F401
    except ImportError:
        raise ConfigError("epsilon: private training needs Opacus: pip install 'anomgan[private]'") from None
