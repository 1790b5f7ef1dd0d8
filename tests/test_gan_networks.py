"""The three networks: their shapes for every size allowed, and what folding the spectral norm keeps."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anomgan.gan.networks import Discriminator, Encoder, Generator, fold_spectral_norm
from anomgan.gan.shape import Shape


@pytest.mark.parametrize("channels", [1, 2, 7, 100])
@pytest.mark.parametrize("window", [16, 24, 40, 64, 256])
@pytest.mark.parametrize("normalised", [True, False])
def test_every_window_and_channel_count_keeps_its_shape(channels: int, window: int, normalised: bool) -> None:
    shape = Shape(channels, window, latent=3, width=4)
    x = torch.randn(5, channels, window)
    z = Encoder(shape)(x)
    assert z.shape == (5, 3)
    assert Generator(shape)(z).shape == x.shape
    logits, layers = Discriminator(shape, normalised=normalised)(x)
    assert logits.shape == (5, 1)
    assert [layer.shape for layer in layers] == [(5, 4, window // 2), (5, 8, window // 4), (5, 8, window // 8)]


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
    encoder, generator = Encoder(shape), Generator(shape)
    discriminator = Discriminator(shape, normalised=True).eval()
    x = torch.randn(6, 3, 16)
    other = torch.cat([x[:1], 100.0 * torch.randn(5, 3, 16)])

    def told(windows: Tensor) -> list[Tensor]:
        logit, layers = discriminator(windows)
        return [encoder(windows), generator(encoder(windows)), logit, *layers]

    for a, b in zip(told(x), told(other), strict=True):
        torch.testing.assert_close(a[0], b[0])


def test_folding_the_spectral_norm_leaves_outputs_unchanged_and_plain_weights() -> None:
    torch.manual_seed(0)
    shape = Shape(2, 16, 4, 8)
    normalised = Discriminator(shape, normalised=True)
    for _ in range(3):
        normalised(torch.randn(4, 2, 16))  # power iterations as training makes them
    normalised.eval()
    x = torch.randn(10, 2, 16)

    def told() -> list[Tensor]:
        logit, layers = normalised(x)
        return [part.detach().clone() for part in (logit, *layers)]

    before = told()
    fold_spectral_norm(normalised)
    for a, b in zip(told(), before, strict=True):
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


@pytest.mark.parametrize("window", [16, 24, 40, 64])
def test_the_newest_row_reaches_the_logit_and_the_newest_end_of_every_layer(window: int) -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(Shape(2, window, 4, 8), normalised=False)
    x = torch.randn(1, 2, window)
    moved = x.clone()
    moved[..., -1] += 1.0
    (logit, layers), (other, others) = discriminator(x), discriminator(moved)
    assert (logit - other).abs() > 1e-4
    for a, b in zip(layers, others, strict=True):
        assert (a - b)[..., -1].abs().max() > 1e-4


# ---------------------------------------------------------------- the generator's bound


def bounded(centre: list[float], reach: list[float]) -> Generator:
    torch.manual_seed(0)
    generator = Generator(Shape(len(centre), 16, 4, 8))
    generator.centre.copy_(torch.tensor(centre)[:, None])
    generator.reach.copy_(torch.tensor(reach)[:, None])
    return generator


@pytest.mark.parametrize("size", [1.0, 1e3, 1e30])
def test_the_generator_makes_nothing_beyond_its_reach_of_any_channel(size: float) -> None:
    generator = bounded([-5.0, 0.0, 2.0], [0.1, 1.0, 3.0])
    x = generator(size * torch.randn(50, 4))
    assert ((x - generator.centre).abs() <= generator.reach + 1e-6).all()
    assert x.isfinite().all()


def test_the_generator_can_come_near_either_end_of_its_reach() -> None:
    generator = bounded([-5.0, 2.0], [0.5, 3.0])
    x = generator(1e4 * torch.randn(50, 4))
    told = (
        ((x - generator.centre) / generator.reach).amin((0, 2)),
        ((x - generator.centre) / generator.reach).amax((0, 2)),
    )
    assert (told[0] < -0.99).all()
    assert (told[1] > 0.99).all()


def test_near_its_centre_the_bound_changes_nothing() -> None:
    wide, plain = bounded([0.0, 0.0], [1e4, 1e4]), bounded([0.0, 0.0], [1e6, 1e6])
    z = torch.randn(5, 4)
    torch.testing.assert_close(wide(z), plain(z), rtol=1e-4, atol=1e-5)


def test_centre_and_reach_belong_to_the_state_and_are_not_trained() -> None:
    generator = bounded([1.0], [2.0])
    state = generator.state_dict()
    assert (state["centre"].shape, state["reach"].shape) == ((1, 1), (1, 1))
    assert not {"centre", "reach"} & {name for name, _ in generator.named_parameters()}
