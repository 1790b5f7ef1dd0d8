"""The witnesses against the same statistics written down cell by cell; what is missing counts nothing."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from examples import normal_values
from naive import explicit_distance, naive_pyramid
from numpy.typing import NDArray
from torch import Tensor

from anomgan.detector import Detector
from anomgan.gan.networks import Networks
from anomgan.gan.shape import Shape
from anomgan.gaussian import Gaussian
from anomgan.records import Floats
from anomgan.score import SPACES, WITNESSES, Look, complete, fit_normal, look, newest_span, space_sizes

WINDOW, CHANNELS = 16, 3
NEWEST = 2


@pytest.fixture(scope="module")
def networks(detector: Detector) -> Networks:
    return detector.parts.networks


def cut_windows(detector: Detector, rows: int, step: int) -> Tensor:
    scaled = detector.scale(normal_values(rows, seed=1))
    return torch.from_numpy(np.stack([scaled[at : at + WINDOW].T for at in range(0, rows - WINDOW, step)]))


@pytest.fixture(scope="module")
def windows(detector: Detector) -> Tensor:
    """Thirteen scaled windows (13, 3, 16), of which four miss something and the last is far from normal."""
    cut = cut_windows(detector, 215, 15)[:13]
    cut[8, 1, 3] = cut[9, 0, -1] = torch.nan
    cut[10, 2, :] = torch.nan
    cut[11] = torch.nan
    cut[12, 1] += 5.0
    return cut


@torch.inference_mode()
def rebuilt(networks: Networks, windows: Tensor) -> Tensor:
    return networks.generator(networks.encoder(windows))  # type: ignore[no-any-return]  # nn.Module is untyped


def seen_by(detector: Detector, windows: Tensor) -> Look:
    return look(detector.parts.networks, detector.parts.normal, windows)


def naive_points(networks: Networks, windows: Tensor) -> dict[str, Floats]:
    """Where windows lie in each space (N, F), number by number."""
    absent = windows.isnan().numpy()
    with torch.inference_mode():
        whole = complete(networks, windows)[0]
        logit, layers = networks.discriminator(whole)
    x, residual = whole.double().numpy(), (whole.double() - rebuilt(networks, whole).double()).numpy()
    residual[absent] = 0.0

    def row_of(several: NDArray[np.float64]) -> list[float]:
        return [number for channel in several for number in naive_pyramid(channel)]

    inside = [
        [*(number for layer in layers for number in row_of(layer[n].double().numpy())), float(logit[n])]
        for n in range(len(x))
    ]
    return {
        "discriminator": np.array(inside),
        "reconstruction": np.array([row_of(one) for one in residual]),
        "pattern": np.array([row_of(one) for one in x]),
    }


def covariance_of(normal: Gaussian) -> Floats:
    """The whole matrix (F, F) that directions, variances and rest stand for."""
    directions, variances = normal.directions.double().numpy(), normal.variances.double().numpy()
    rest = normal.rest.item()
    told: Floats = directions @ np.diag(variances - rest) @ directions.T + rest * np.eye(len(directions))
    return told


# ---------------------------------------------------------------- the witnesses


def test_a_missing_cell_is_completed_by_the_generator_and_every_other_cell_is_kept(
    networks: Networks, windows: Tensor
) -> None:
    kept, absent = windows.clone(), windows.isnan()
    with torch.inference_mode():
        whole = complete(networks, windows)[0]
    guess = rebuilt(networks, torch.where(absent, 0.0, windows))
    torch.testing.assert_close(whole[~absent], windows[~absent], rtol=0, atol=0)
    torch.testing.assert_close(whole[absent], guess[absent])
    torch.testing.assert_close(windows, kept, equal_nan=True)


def test_the_distances_and_the_error_are_what_they_are_said_to_be_number_by_number(
    detector: Detector, windows: Tensor
) -> None:
    parts, seen = detector.parts, seen_by(detector, windows)
    points = naive_points(parts.networks, windows)
    error = np.zeros((len(windows), CHANNELS))
    for space in SPACES:
        mean, covariance = parts.normal[space].mean.double().numpy(), covariance_of(parts.normal[space])
        for n, point in enumerate(points[space]):
            added = (point - mean) * np.linalg.solve(covariance, point - mean) / len(mean)  # (F,)
            assert getattr(seen, space)[n].item() == pytest.approx(np.sqrt(added.sum()), rel=1e-3)
            if space != "discriminator":
                error[n] += added.reshape(CHANNELS, -1).sum(axis=1)
    there = 1.0 - windows.isnan().double().mean(2).numpy()
    np.testing.assert_allclose(seen.error, np.maximum(error, 0.0) * there, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(seen.logit, points["discriminator"][:, -1], rtol=1e-5, atol=1e-6)


def test_the_level_is_the_largest_mean_of_a_channel_over_the_newest_rows(detector: Detector, windows: Tensor) -> None:
    seen = seen_by(detector, windows)
    with torch.inference_mode():
        x = complete(detector.parts.networks, windows)[0].numpy()
    for n in range(len(x)):
        means = [abs(sum(float(x[n, c, t]) for t in range(WINDOW - NEWEST, WINDOW)) / NEWEST) for c in range(CHANNELS)]
        assert seen.level[n].item() == pytest.approx(max(means), rel=1e-5)


def test_what_is_expected_is_the_generator_s_newest_row_and_the_odd_one_is_the_furthest_of_the_newest(
    detector: Detector, windows: Tensor
) -> None:
    seen, absent = seen_by(detector, windows), windows.isnan().numpy()
    with torch.inference_mode():
        whole = complete(detector.parts.networks, windows)[0]
    x, again = whole.numpy(), rebuilt(detector.parts.networks, whole).numpy()
    for n in range(len(x)):
        assert seen.missing[n] == pytest.approx(absent[n].mean())
        np.testing.assert_allclose(seen.expected[n], again[n, :, -1], rtol=1e-5, atol=1e-6)
        for c in range(CHANNELS):
            off = np.where(absent[n, c], 0.0, np.abs(x[n, c] - again[n, c]))[-NEWEST:]
            at = WINDOW - NEWEST + int(np.argmax(off))
            np.testing.assert_allclose(seen.odd[n, c], windows[n, c, at], rtol=1e-5, equal_nan=True)
            np.testing.assert_allclose(seen.odd_expected[n, c], again[n, c, at], rtol=1e-5, atol=1e-6)


def test_the_newest_rows_are_an_eighth_of_the_window_and_at_least_two() -> None:
    assert [newest_span(window) for window in (16, 24, 32, 64, 256)] == [2, 3, 4, 8, 32]


def test_every_witness_sees_a_fault(detector: Detector, windows: Tensor) -> None:
    seen = seen_by(detector, windows)
    for name in WITNESSES:
        assert getattr(seen, name)[12] > 2 * getattr(seen, name)[:8].max()
    assert seen.error[12].argmax() == 1
    assert seen.error[12].max() > 0.8 * seen.error[12].sum()


def test_what_a_channel_adds_is_never_below_nothing(detector: Detector, windows: Tensor) -> None:
    assert (seen_by(detector, windows).error >= 0).all()


def test_a_missing_channel_is_told_as_missing_and_leaves_no_residual(detector: Detector, windows: Tensor) -> None:
    seen, points = seen_by(detector, windows), naive_points(detector.parts.networks, windows)
    assert torch.isnan(seen.odd[10, 2])
    assert not points["reconstruction"][10].reshape(CHANNELS, -1)[2].any()
    assert not points["reconstruction"][11].any()
    for name in WITNESSES:
        assert torch.isfinite(getattr(seen, name)).all()


def test_the_windows_are_left_alone(detector: Detector, windows: Tensor) -> None:
    kept = windows.clone()
    seen_by(detector, windows)
    fit_normal(detector.parts.networks, windows)
    torch.testing.assert_close(windows, kept, rtol=0, atol=0, equal_nan=True)


def test_how_windows_are_chunked_does_not_matter(
    detector: Detector, windows: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = seen_by(detector, windows)
    normal = fit_normal(detector.parts.networks, windows)
    monkeypatch.setattr("anomgan.score.CHUNK", 5)
    parts = seen_by(detector, windows)
    for name in Look.__slots__:
        torch.testing.assert_close(getattr(whole, name), getattr(parts, name), rtol=1e-5, atol=1e-5, equal_nan=True)
    alike(detector.parts.networks, normal, fit_normal(detector.parts.networks, windows), windows)


def alike(networks: Networks, a: Mapping[str, Gaussian], b: Mapping[str, Gaussian], windows: Tensor) -> None:
    """The same distances; directions may differ by their sign."""
    first, second = look(networks, a, windows), look(networks, b, windows)
    for space in SPACES:
        torch.testing.assert_close(getattr(first, space), getattr(second, space), rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- what is normal


def test_normal_is_the_shrunk_covariance_of_normal_windows_in_each_space(
    detector: Detector, networks: Networks, windows: Tensor
) -> None:
    many = cut_windows(detector, 200, 1)
    many[5, 2], many[9, :, 3] = torch.nan, torch.nan
    seen = look(networks, fit_normal(networks, many), windows)
    normal, asked = naive_points(networks, many), naive_points(networks, windows)
    for space in SPACES:
        expected = explicit_distance(torch.from_numpy(normal[space]), torch.from_numpy(asked[space]))
        np.testing.assert_allclose(getattr(seen, space), expected, rtol=0.01)


def test_alike_windows_are_normal_without_dividing_by_zero(networks: Networks, windows: Tensor) -> None:
    normal = fit_normal(networks, torch.zeros(10, CHANNELS, WINDOW))
    near, far = look(networks, normal, torch.zeros(1, CHANNELS, WINDOW)), look(networks, normal, windows)
    for space in SPACES:
        assert getattr(near, space).item() < 1e-3
        assert torch.isfinite(getattr(far, space)).all()
        assert (getattr(far, space) > 0.1).all()


def test_a_space_has_the_size_it_is_said_to_have(detector: Detector) -> None:
    for space, size in space_sizes(detector.parts.networks.shape).items():
        normal = detector.parts.normal[space]
        assert normal.mean.shape == (size,)
        assert normal.directions.shape == (size, len(normal.variances))


@pytest.mark.parametrize("window", [16, 24, 40, 64])
def test_the_sizes_of_the_spaces_follow_from_window_and_widths(window: int) -> None:
    """Pyramids of C, W, 2W and 2W channels over L, L/2, L/4 and L/8 rows, and the logit."""
    levels = [len(naive_pyramid(np.zeros(window >> depth))) for depth in range(4)]
    assert space_sizes(Shape(channels=7, window=window, latent=3, width=5)) == {
        "discriminator": 5 * levels[1] + 10 * levels[2] + 10 * levels[3] + 1,
        "reconstruction": 7 * levels[0],
        "pattern": 7 * levels[0],
    }
