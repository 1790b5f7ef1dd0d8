"""The witnesses against the same statistics written down cell by cell; what is missing counts nothing."""

import numpy as np
import pytest
import torch
from examples import normal_values
from torch import Tensor

from anomgan.detector import Detector
from anomgan.gan.train import Networks
from anomgan.score import (
    NEIGHBOURS,
    USUAL_FLOOR,
    Look,
    Memory,
    complete,
    look,
    neighbour_distance,
    remember,
    usual_errors,
)

WINDOW = 16


@pytest.fixture(scope="module")
def networks(detector: Detector) -> Networks:
    return detector.parts.networks


@pytest.fixture(scope="module")
def windows(detector: Detector) -> Tensor:
    """Twelve scaled windows (12, 3, 16), of which the last four miss something."""
    rows = detector.scale(normal_values(200, seed=1))
    cut = torch.from_numpy(np.stack([rows[at : at + WINDOW].T for at in range(0, 180, 15)]))
    cut[8, 1, 3] = cut[9, 0, -1] = torch.nan
    cut[10, 2, :] = torch.nan
    cut[11] = torch.nan
    return cut


@torch.inference_mode()
def rebuilt(networks: Networks, windows: Tensor) -> Tensor:
    return networks.generator(networks.encoder(windows))  # type: ignore[no-any-return]  # nn.Module is untyped


def seen_by(detector: Detector, windows: Tensor) -> Look:
    parts = detector.parts
    return look(parts.networks, parts.memory, parts.usual, windows)


def test_a_missing_cell_is_completed_by_the_generator_and_every_other_cell_is_kept(
    networks: Networks, windows: Tensor
) -> None:
    kept, absent = windows.clone(), windows.isnan()
    with torch.inference_mode():
        whole = complete(networks, windows, absent)
    guess = rebuilt(networks, torch.where(absent, 0.0, windows))
    torch.testing.assert_close(whole[~absent], windows[~absent], rtol=0, atol=0)
    torch.testing.assert_close(whole[absent], guess[absent])
    torch.testing.assert_close(windows, kept, equal_nan=True)


def test_the_witnesses_are_what_they_are_said_to_be_cell_by_cell(detector: Detector, windows: Tensor) -> None:
    parts, seen = detector.parts, seen_by(detector, windows)
    absent = windows.isnan().numpy()
    with torch.inference_mode():
        whole = complete(parts.networks, windows, windows.isnan())
        logit, features = parts.networks.discriminator(whole)
    again, x, usual = rebuilt(parts.networks, whole).numpy(), whole.numpy(), parts.usual.error.numpy()
    peak = parts.usual.peak.numpy()
    np.testing.assert_allclose(seen.discriminator, -logit, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(seen.neighbour, neighbour_distance(parts.memory, features), rtol=1e-5)
    for n in range(len(x)):
        square = np.zeros((3, WINDOW))
        for c in range(3):
            for t in range(WINDOW):
                if not absent[n, c, t]:
                    square[c, t] = ((x[n, c, t] - again[n, c, t]) / usual[c]) ** 2
        newest = square[:, -2:]
        assert seen.reconstruction[n] == pytest.approx(np.sqrt(square.mean()), rel=1e-4)
        assert seen.newest[n] == pytest.approx(np.sqrt(newest.mean()), rel=1e-4)
        assert seen.largest[n] == pytest.approx((np.sqrt(newest.max(axis=1)) * usual / peak).max(), rel=1e-4)
        assert seen.missing[n] == pytest.approx(absent[n].mean())
        np.testing.assert_allclose(seen.error[n], newest.mean(axis=1), rtol=1e-3, atol=1e-9)
        np.testing.assert_allclose(seen.expected[n], again[n, :, -1], rtol=1e-5, atol=1e-6)
        for c in range(3):
            at = WINDOW - 2 + int(np.argmax(newest[c]))
            np.testing.assert_allclose(seen.odd[n, c], windows[n, c, at], rtol=1e-5, equal_nan=True)
            np.testing.assert_allclose(seen.odd_expected[n, c], again[n, c, at], rtol=1e-5, atol=1e-6)


def test_a_missing_channel_has_no_error_and_no_share(detector: Detector, windows: Tensor) -> None:
    seen = seen_by(detector, windows)
    assert seen.error[10, 2] == 0
    assert (seen.error[11] == 0).all()
    assert torch.isnan(seen.odd[10, 2])


def test_how_windows_are_chunked_does_not_matter(
    detector: Detector, windows: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = seen_by(detector, windows)
    monkeypatch.setattr("anomgan.score.CHUNK", 5)
    parts = seen_by(detector, windows)
    for name in Look.__slots__:
        torch.testing.assert_close(getattr(whole, name), getattr(parts, name), rtol=1e-5, atol=1e-5, equal_nan=True)


# ---------------------------------------------------------------- memory


def test_the_neighbour_is_the_mean_distance_to_the_nearest_found_one_by_one() -> None:
    rng = torch.Generator().manual_seed(0)
    memory = Memory(
        torch.randn(50, 6, generator=rng), torch.randn(6, generator=rng), torch.rand(6, generator=rng) + 0.5
    )
    features = 3 * torch.randn(20, 6, generator=rng)
    for point, told in zip(features, neighbour_distance(memory, features), strict=True):
        scaled = (point - memory.centre) / memory.spread
        distances = sorted(float(torch.linalg.vector_norm(scaled - one)) for one in memory.features)
        assert told.item() == pytest.approx(np.mean(distances[:NEIGHBOURS]), rel=1e-4)


@pytest.mark.parametrize("size", [1, 2])
def test_a_memory_smaller_than_the_number_of_neighbours_is_enough(size: int) -> None:
    memory = Memory(torch.zeros(size, 4), torch.zeros(4), torch.ones(4))
    assert neighbour_distance(memory, torch.ones(1, 4)).item() == pytest.approx(2.0)


def test_a_point_far_away_is_as_far_as_it_is() -> None:
    """The fast search works with squares; the distance itself must not lose its digits there."""
    memory = Memory(torch.zeros(3, 4), torch.zeros(4), torch.ones(4))
    assert neighbour_distance(memory, torch.full((1, 4), 1e6)).item() == pytest.approx(2e6)


def test_what_is_remembered_has_no_centre_and_unit_spread_and_is_near_itself(
    networks: Networks, windows: Tensor
) -> None:
    memory = remember(networks, windows[:8])
    torch.testing.assert_close(memory.features.mean(0), torch.zeros(memory.features.shape[1]), rtol=0, atol=1e-4)
    assert ((memory.features.std(0, correction=0) - 1).abs() < 1e-3).logical_or(memory.spread <= 1e-3).all()
    with torch.inference_mode():
        alone = Memory(memory.features[:1], memory.centre, memory.spread)
        assert neighbour_distance(alone, networks.discriminator(windows[:1])[1]).item() < 1e-3


def test_alike_windows_have_a_memory_without_dividing_by_zero(networks: Networks) -> None:
    memory = remember(networks, torch.zeros(10, 3, WINDOW))
    assert torch.isfinite(memory.features).all()
    assert (memory.spread > 0).all()


# ---------------------------------------------------------------- the usual error


def test_the_usual_error_is_the_root_mean_square_of_each_channel(networks: Networks, windows: Tensor) -> None:
    whole = windows[:8]
    square = (whole - rebuilt(networks, whole)).square()
    expected = square.mean((0, 2)).sqrt().clamp_min(USUAL_FLOOR)
    torch.testing.assert_close(usual_errors(networks, whole).error, expected)


def test_the_usual_peak_is_what_one_window_in_a_hundred_exceeds(networks: Networks, windows: Tensor) -> None:
    whole = windows[:8].repeat(25, 1, 1)
    largest = (whole - rebuilt(networks, whole))[:, :, -2:].abs().amax(2)
    usual = usual_errors(networks, whole)
    wanted = torch.from_numpy(np.quantile(largest.numpy(), 0.99, axis=0))
    torch.testing.assert_close(usual.peak, torch.maximum(wanted.float(), usual.error))


def test_the_usual_errors_are_never_so_small_that_rounding_counts(networks: Networks) -> None:
    flat = rebuilt(networks, torch.zeros(1, 3, WINDOW)).expand(4, -1, -1)
    usual = usual_errors(networks, flat)
    assert (usual.error >= USUAL_FLOOR).all()
    assert (usual.peak >= usual.error).all()
