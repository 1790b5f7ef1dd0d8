"""The three networks: their shapes for every size allowed, and what folding the spectral norm keeps."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from anomgan.config import ArchitectureName
from anomgan.errors import ConfigError
from anomgan.gan.networks import ARCHITECTURES, Discriminator, Encoder, Generator, fold_spectral_norm, grow
from anomgan.gan.pyramid import laplacian, levels_of
from anomgan.gan.shape import Shape

HEADS = {"mlp": 1, "conv": 1, "pyramid": 5, "progressive": 1}


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
@pytest.mark.parametrize("channels", [1, 2, 7, 100])
@pytest.mark.parametrize("window", [16, 24, 40, 64, 256])
@pytest.mark.parametrize("normalised", [True, False])
def test_every_window_and_channel_count_keeps_its_shape(
    architecture: ArchitectureName, channels: int, window: int, normalised: bool
) -> None:
    shape = Shape(channels, window, latent=3, width=4)
    x = torch.randn(5, channels, window)
    z = Encoder(shape, architecture)(x)
    assert z.shape == (5, 3)
    assert Generator(shape, architecture)(z).shape == x.shape
    logits, layers = Discriminator(shape, architecture, normalised=normalised)(x)
    assert logits.shape == (5, HEADS[architecture])
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


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
@pytest.mark.parametrize("statistics", [True, False])
def test_a_window_is_judged_alone_whatever_stands_beside_it(architecture: ArchitectureName, statistics: bool) -> None:
    """No layer mixes windows; once trained, batch statistics are the usual ones."""
    shape = Shape(3, 16, 4, 8, statistics=statistics)
    torch.manual_seed(0)
    encoder, generator = Encoder(shape, architecture), Generator(shape, architecture)
    discriminator = Discriminator(shape, architecture, normalised=True).eval()
    x = torch.randn(6, 3, 16)
    other = torch.cat([x[:1], 100.0 * torch.randn(5, 3, 16)])

    def told(windows: Tensor) -> list[Tensor]:
        logit, layers = discriminator(windows)
        return [encoder(windows), generator(encoder(windows)), logit, *layers]

    for a, b in zip(told(x), told(other), strict=True):
        torch.testing.assert_close(a[0], b[0])


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_folding_the_spectral_norm_leaves_outputs_unchanged_and_plain_weights(architecture: ArchitectureName) -> None:
    torch.manual_seed(0)
    shape = Shape(2, 16, 4, 8)
    normalised = Discriminator(shape, architecture, normalised=True)
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
    assert normalised.state_dict().keys() == Discriminator(shape, architecture, normalised=False).state_dict().keys()
    fold_spectral_norm(normalised)  # a second time changes nothing
    torch.testing.assert_close(normalised(x)[0], before[0], rtol=0, atol=0)


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_spectral_normalisation_bounds_every_layer(architecture: ArchitectureName) -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(Shape(2, 16, 4, 8, conditions=3, statistics=True), architecture, normalised=True)
    with torch.no_grad():
        for name, parameter in discriminator.named_parameters():
            if "weight" in name:
                parameter.mul_(50.0)
    for share in [0.3] * 200 + [1.0] * 200:  # what grows uses all its layers by and by
        grow(discriminator, share)
        discriminator(torch.randn(2, 2, 16), torch.randn(2, 3))
    discriminator.eval()
    fold_spectral_norm(discriminator)
    for layer in discriminator.modules():
        if isinstance(layer, nn.Conv1d | nn.Linear):
            largest = np.linalg.svd(layer.weight.detach().flatten(1).numpy(), compute_uv=False)[0]
            assert largest == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("architecture", ["conv", "pyramid", "progressive"])
@pytest.mark.parametrize("window", [16, 24, 40, 64])
def test_the_newest_row_reaches_the_logit_and_the_newest_end_of_every_layer(
    architecture: ArchitectureName, window: int
) -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(Shape(2, window, 4, 8), architecture, normalised=False)
    x = torch.randn(1, 2, window)
    moved = x.clone()
    moved[..., -1] += 1.0
    (logit, layers), (other, others) = discriminator(x), discriminator(moved)
    assert (logit - other)[0, 0].abs() > 1e-5
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


# ---------------------------------------------------------------- conditions, hidden cells, statistics

FULL = Shape(2, 16, latent=3, width=4, conditions=5, hiding=True, statistics=True)


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_conditions_reach_every_window_made_and_every_logit_read_off_the_features(
    architecture: ArchitectureName,
) -> None:
    torch.manual_seed(0)
    generator, discriminator = Generator(FULL, architecture), Discriminator(FULL, architecture, normalised=False)
    z, one, other = torch.randn(6, 3), torch.eye(5)[[0] * 6], torch.eye(5)[[4] * 6]
    x = generator(z, one, torch.zeros(6, 2, 16))
    assert x.shape == (6, 2, 16)
    assert ((x - generator(z, other)).abs().amax((1, 2)) > 1e-4).all()
    assert ((discriminator(x, one)[0] - discriminator(x, other)[0]).abs()[:, 0] > 1e-5).all()


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_where_cells_are_hidden_noise_chooses_among_latents_and_grain_among_windows(
    architecture: ArchitectureName,
) -> None:
    torch.manual_seed(0)
    encoder, generator = Encoder(FULL, architecture), Generator(FULL, architecture)
    seen, y = torch.randn(6, 4, 16), torch.zeros(6, 5)
    middle, one, other = encoder(seen, y), encoder(seen, y, torch.randn(6, 3)), encoder(seen, y, torch.randn(6, 3))
    assert middle.shape == one.shape == (6, 3)
    assert not torch.equal(one, other)
    torch.testing.assert_close(encoder(seen, y, torch.zeros(6, 3)), middle)
    still, grainy = generator(middle, y), generator(middle, y, torch.randn(6, 2, 16))
    torch.testing.assert_close(generator(middle, y, torch.zeros(6, 2, 16)), still)
    assert not torch.equal(still, grainy)


def test_with_batch_statistics_windows_are_judged_beside_their_own_group_only() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(Shape(2, 16, 3, 4, statistics=True), normalised=False).train()
    real, alike = torch.randn(8, 2, 16), torch.randn(1, 2, 16).expand(8, -1, -1)
    together = discriminator(torch.cat([real, alike]), groups=2)[0]
    torch.testing.assert_close(together[:8], discriminator(real)[0])
    torch.testing.assert_close(together[8:], discriminator(alike)[0])
    assert (discriminator(torch.cat([real, alike]))[0] - together).abs().max() > 1e-3


def test_once_settled_a_window_is_judged_as_if_beside_the_real_ones() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(Shape(2, 16, 3, 4, statistics=True), normalised=False).train()
    real = torch.randn(32, 2, 16)
    among = discriminator(real)[0]
    discriminator.settle(real)
    torch.testing.assert_close(discriminator.eval()(real[:1])[0], among[:1])


# ---------------------------------------------------------------- what is particular to an architecture


def test_layers_too_long_to_be_connected_fully_are_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"'mlp'.*8192 numbers.*'conv'"):
        Generator(Shape(1, 1024, 4, 16), "mlp")


@pytest.mark.parametrize("length", [16, 24, 64])
def test_the_levels_of_a_laplacian_pyramid_sum_to_the_window(length: int) -> None:
    x = torch.randn(3, 2, length)
    parts = laplacian(x)
    assert [part.shape[2] for part in parts] == [length, length // 2, length // 4, length // 8]
    levels = levels_of(parts)
    torch.testing.assert_close(levels[0], x)
    torch.testing.assert_close(levels[1], x.view(3, 2, -1, 2).mean(3))
    line = 2.0 * torch.arange(float(length)).expand(1, 1, -1)
    assert laplacian(line)[0][..., 2:-2].abs().max() < 1e-4, "a slope is coarse: it has no bands"


def test_each_level_of_a_pyramid_is_made_of_a_latent_of_its_own() -> None:
    """The finest level's share of the latent leaves the coarse trend as good as alone, the coarsest one's does not."""
    torch.manual_seed(0)
    generator = Generator(Shape(2, 32, latent=8, width=8), "pyramid").body
    z = torch.rand(16, 8)
    moved = []
    for own in (slice(0, 2), slice(6, 8)):
        other = z.clone()
        other[:, own] += 1.0
        parts = laplacian(generator(other) - generator(z))
        moved.append((parts[-1].square().mean() / parts[0].square().mean()).item())
    assert moved[0] > 10 * moved[1]


@pytest.mark.parametrize("latent", [2, 3, 5])
def test_a_pyramid_does_with_fewer_latents_than_levels(latent: int) -> None:
    assert Generator(Shape(2, 16, latent, 4), "pyramid")(torch.zeros(3, latent)).shape == (3, 2, 16)


def rough(x: Tensor) -> float:
    """How much a window (B, C, L) is more than runs of eight equal rows."""
    return float((x - functional.avg_pool1d(x, 8).repeat_interleave(8, 2)).detach().abs().max())


def test_progressive_networks_make_and_judge_short_windows_before_they_are_grown() -> None:
    torch.manual_seed(0)
    shape = Shape(2, 32, 4, 8)
    generator, discriminator = Generator(shape, "progressive"), Discriminator(shape, "progressive", normalised=False)
    z, x = torch.randn(8, 4), torch.randn(8, 2, 32)
    flat = functional.avg_pool1d(x, 8).repeat_interleave(8, 2)
    for network in (generator, discriminator):
        assert grow(network, 0.0)
    assert rough(generator(z)) < 1e-6
    torch.testing.assert_close(discriminator(x)[0], discriminator(flat)[0])
    for network in (generator, discriminator):
        grow(network, 1.0)
    assert rough(generator(z)) > 1e-3
    assert (discriminator(x)[0] - discriminator(flat)[0]).abs().max() > 1e-3


def test_what_grows_does_so_without_a_jump() -> None:
    torch.manual_seed(0)
    shape = Shape(2, 32, 4, 8)
    generator, discriminator = Generator(shape, "progressive"), Discriminator(shape, "progressive", normalised=False)
    z, x = torch.randn(8, 4), torch.randn(8, 2, 32)
    made, told = [], []
    for share in torch.linspace(0, 1, 401):
        grow(generator, float(share))
        grow(discriminator, float(share))
        made.append(generator(z).detach())
        told.append(discriminator(x)[0].detach())
    for course in (torch.stack(made), torch.stack(told)):
        jumps = course.diff(dim=0).flatten(1).abs().amax(1)
        assert jumps.max() < 0.1 * (course[-1] - course[0]).abs().max()


def test_only_what_grows_says_so() -> None:
    assert {name for name in ARCHITECTURES if grow(Generator(Shape(2, 16, 4, 8), name), 1.0)} == {"progressive"}
