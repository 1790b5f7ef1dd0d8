"""The networks and the adversarial game: what every table that trains a GAN has in common."""

from typing import Literal

from pydantic import Field

from anomgan.config.table import Table

ArchitectureName = Literal["mlp", "conv", "pyramid", "progressive"]
LossName = Literal["non-saturating", "minimax", "least-squares", "hinge", "wgan-gp"]
NormalisationName = Literal["spectral", "none"]
DeviceName = Literal["auto", "cpu", "cuda"]


class GameConfig(Table):
    """How the networks are built and how the game between them is played."""

    steps: int | None = Field(None, ge=1, le=10_000_000)
    """training steps"""
    architecture: ArchitectureName = "conv"
    latent: int = Field(16, ge=2, le=256)
    width: int = Field(16, ge=4, le=256)
    """convolution channels of the first block; later blocks have twice as many"""
    batch: int = Field(64, ge=4, le=65_536)
    loss: LossName = "hinge"
    normalisation: NormalisationName | None = None
    """of the discriminator's weights; None = spectral where the loss has no gradient penalty of its own"""
    gradient_penalty: float | None = Field(None, ge=0)
    """weight of the penalty on the discriminator's slope; None = the loss's own: 10 for wgan-gp, else 0"""
    learning_rate: float = Field(1e-3, gt=0)
    discriminator_learning_rate: float | None = Field(None, gt=0)
    """None = the same as the generator's"""
    ema_decay: float = Field(0.99, ge=0, lt=1)
    """of the moving average of the generator's and the encoder's weights that is kept; 0 = the newest weights"""
    minibatch_statistics: bool = False
    """whether the discriminator also sees how much the windows of a batch vary"""
    augmentation: float = Field(0.0, ge=0, le=1)
    """the share of windows that are moved, stretched or blanked before the discriminator sees them"""
    adversarial_weight: float = Field(0.1, ge=0)
    reconstruction_weight: float = Field(10.0, ge=0)
    cycle_weight: float | None = Field(None, ge=0)
    """of windows that come back from another device to their own; None = 5 where `device` is a condition"""
    patience: int = Field(8, ge=1)
    """health checks without a better held-out reconstruction before training stops early"""
    seed: int = Field(0, ge=0, lt=2**63)
    device: DeviceName = "auto"
