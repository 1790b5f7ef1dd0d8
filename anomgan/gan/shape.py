"""The sizes of the networks, in one dataclass, and the letters of their shapes.

B batch, C channels, L window length, Z latent, K conditions, W width, F features, H logits of a discriminator.
"""

from dataclasses import dataclass

KERNEL = 5
SLOPE = 0.2


@dataclass(frozen=True, slots=True)
class Shape:
    """All sizes of the networks; raises ValueError for a window that three halvings do not divide.

    conditions, K: length of the vector that generator and discriminator are conditioned on. hiding: the encoder is also
    told which cells it is shown, and gives a distribution of latents; the generator adds a grain of its own.
    scales: how many strides windows come in; of several, the last so many conditions tell which.
    statistics: the discriminator sees how much the windows of a batch vary.
    """

    channels: int
    window: int
    latent: int
    width: int
    conditions: int = 0
    hiding: bool = False
    scales: int = 1
    statistics: bool = False

    def __post_init__(self) -> None:
        if self.window < 16 or self.window % 8:
            raise ValueError(f"the window length must be a multiple of 8 from 16 up, not {self.window}")

    @property
    def deep(self) -> int:
        """Channels of the later blocks."""
        return 2 * self.width

    @property
    def features(self) -> int:
        """F, the length of the vector that the discriminator's logit is read off."""
        return 2 * self.deep

    @property
    def seen(self) -> int:
        """Channels of what the encoder sees: the window, and where it is known."""
        return self.channels * (2 if self.hiding else 1)

    @property
    def given(self) -> int:
        """Length of what the generator makes a window of: latent and conditions."""
        return self.latent + self.conditions

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Channels and length of the discriminator's activations, from the shallowest to the deepest."""
        return (
            (self.width, self.window // 2),
            (self.deep, self.window // 4),
            (self.deep, self.window // 8),
        )
