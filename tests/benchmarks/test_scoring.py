"""How many windows a CPU core scores, beside a plain eager PyTorch implementation of three convolutional networks."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from figures import CHANNELS, cpu_seconds, normal_series, table
from torch import Tensor, nn

from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.windows import gather_windows

WINDOW = 64
AIM = 20_000
pytestmark = pytest.mark.bench


def plain_networks(width: int, latent: int = 16) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Encoder, generator and discriminator as one would write them first: strided convolutions and their transposes."""
    deep = 2 * width
    down = [nn.Conv1d(a, b, 5, 2, 2) for a, b in ((CHANNELS, width), (width, deep), (deep, deep))]
    judge = [nn.Conv1d(a, b, 5, 2, 2) for a, b in ((CHANNELS, width), (width, deep), (deep, deep))]
    up = [nn.ConvTranspose1d(a, b, 4, 2, 1) for a, b in ((deep, deep), (deep, width), (width, CHANNELS))]
    flat = deep * WINDOW // 8
    leaky = nn.LeakyReLU(0.2)
    encoder = nn.Sequential(down[0], leaky, down[1], leaky, down[2], leaky, nn.Flatten(), nn.Linear(flat, latent))
    generator = nn.Sequential(
        nn.Linear(latent, flat), nn.Unflatten(1, (deep, WINDOW // 8)), leaky, up[0], leaky, up[1], leaky, up[2]
    )
    critic = nn.Sequential(judge[0], leaky, judge[1], leaky, judge[2], leaky, nn.Flatten(), nn.Linear(flat, 1))
    return encoder.eval(), generator.eval(), critic.eval()


def plain_score(networks: tuple[nn.Module, nn.Module, nn.Module]) -> Callable[[Tensor], Tensor]:
    """Reconstruction error plus the critic's output: a score without a meaning, yet a score."""
    encoder, generator, critic = networks

    @torch.inference_mode()
    def score(windows: Tensor) -> Tensor:
        error = (generator(encoder(windows)) - windows).square().mean((1, 2))
        return error - critic(windows)[:, 0]  # type: ignore[no-any-return]  # a tensor

    return score


def weights(*networks: nn.Module) -> int:
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def test_scoring() -> None:
    torch.set_num_threads(1)
    detector = Detector.fit(
        normal_series(2000), DetectorConfig(window=WINDOW, stride=1, steps=100, seed=0, device="cpu")
    )
    series = normal_series(1000, seed=1)
    scaled = detector.scale(series.values)
    every = gather_windows(scaled, np.arange(WINDOW - 1, len(scaled)), WINDOW)
    plain = [plain_networks(width) for width in (16, 34)]
    parts = detector.parts.networks
    rows = []
    for batch in (64, 512):
        windows = every[:batch]
        tensor = torch.from_numpy(windows)
        in_units = np.moveaxis(series.values[:WINDOW], 0, 1)[None].repeat(batch, 0)  # (N, C, L)
        baselines = [batch / cpu_seconds(partial(plain_score(networks), tensor)) for networks in plain]
        examined = batch / cpu_seconds(partial(detector.examine_windows, windows))
        scored = batch / cpu_seconds(partial(detector.score_windows, in_units))
        told = [
            (f"plain eager, {weights(*plain[0]) / 1000:.0f} k weights (baseline)", baselines[0]),
            (f"plain eager, {weights(*plain[1]) / 1000:.0f} k weights", baselines[1]),
            (
                f"examine_windows, {weights(parts.encoder, parts.generator, parts.discriminator) / 1000:.0f} k weights",
                examined,
            ),
            ("score_windows, values in units", scored),
        ]
        rows += [[name, str(batch), f"{rate:,.0f}", f"{rate / baselines[0]:.2f}"] for name, rate in told]
    table(
        f"Scoring windows of {WINDOW} rows and {CHANNELS} channels, one thread; aim: {AIM:,} a CPU-second",
        ["what", "batch", "windows/CPU-s", "against baseline"],
        rows,
    )
