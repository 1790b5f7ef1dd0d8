"""The three networks: their shapes for every size allowed, and what folding the spectral norm keeps."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anomgan.gan.networks import Discriminator, Encoder, Generator, Shape, fold_spectral_norm


@pytest.mark.parametrize("channels", [1, 2, 7, 100])
@pytest.mark.parametrize("window", [16, 24, 40, 64, 256])
@pytest.mark.parametrize("normalised", [True, False])
def test_every_window_and_channel_count_keeps_its_shape(channels: int, window: int, normalised: bool) -> None:
    shape = Shape(channels, window, latent=3, width=4)
    x = torch.randn(5, channels, window)
    z = Encoder(shape)(x)
    assert z.shape == (5, 3)
    assert Generator(shape)(z).shape == x.shape
    logit, features = Discriminator(shape, normalised=normalised)(x)
    assert logit.shape == (5,)
    assert features.shape == (5, shape.features)


@pytest.mark.parametrize("window", range(16, 257, 8))
def test_encoding_and_generating_give_a_window_back(window: int) -> None:
    shape = Shape(2, window, latent=2, width=4)
    assert Generator(shape)(Encoder(shape)(torch.zeros(1, 2, window))).shape == (1, 2, window)


@pytest.mark.parametrize("window", [0, 8, 15, 17, 20, -16])
def test_a_window_that_three_halvings_do_not_divide_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        Shape(1, window, 4, 8)


def test_the_latent_never_leaves_the_range_the_generator_is_trained_on() -> None:
    shape = Shape(2, 16, 4, 8)
    z = Encoder(shape)(1e6 * torch.randn(64, 2, 16))
    assert z.abs().max() <= 1.0


def test_a_window_is_judged_alone_whatever_stands_beside_it() -> None:
    """No layer mixes windows: nothing here knows batch statistics."""
    shape = Shape(3, 16, 4, 8)
    torch.manual_seed(0)
    networks: list[nn.Module] = [Encoder(shape), Discriminator(shape, normalised=True).eval()]
    x = torch.randn(6, 3, 16)
    other = torch.cat([x[:1], 100.0 * torch.randn(5, 3, 16)])
    for network in networks:
        first, second = network(x), network(other)
        pairs = [(first, second)] if isinstance(first, Tensor) else list(zip(first, second, strict=True))
        for a, b in pairs:
            torch.testing.assert_close(a[0], b[0])


def test_folding_the_spectral_norm_leaves_outputs_unchanged_and_plain_weights() -> None:
    torch.manual_seed(0)
    shape = Shape(2, 16, 4, 8)
    normalised = Discriminator(shape, normalised=True)
    for _ in range(3):
        normalised(torch.randn(4, 2, 16))  # power iterations as training makes them
    normalised.eval()
    x = torch.randn(10, 2, 16)
    before = [part.detach().clone() for part in normalised(x)]
    fold_spectral_norm(normalised)
    for a, b in zip(normalised(x), before, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert normalised.state_dict().keys() == Discriminator(shape, normalised=False).state_dict().keys()
    fold_spectral_norm(normalised)  # a second time changes nothing
    torch.testing.assert_close(normalised(x)[0], before[0], rtol=0, atol=0)


def test_spectral_normalisation_bounds_every_layer() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(Shape(2, 16, 4, 8), normalised=True)
    with torch.no_grad():
        for name, parameter in discriminator.named_parameters():
            if "weight" in name:
                parameter.mul_(50.0)
    for _ in range(200):
        discriminator(torch.randn(2, 2, 16))
    discriminator.eval()
    fold_spectral_norm(discriminator)
    for layer in discriminator.modules():
        if isinstance(layer, nn.Conv1d | nn.Linear):
            largest = np.linalg.svd(layer.weight.detach().flatten(1).numpy(), compute_uv=False)[0]
            assert largest == pytest.approx(1.0, rel=0.02)


def test_the_newest_row_reaches_the_features() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(Shape(2, 32, 4, 8), normalised=False)
    x = torch.randn(1, 2, 32)
    moved = x.clone()
    moved[..., -1] += 1.0
    assert (discriminator(x)[1] - discriminator(moved)[1]).abs().max() > 1e-4
