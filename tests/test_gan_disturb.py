"""What normal windows are changed into: worn ones and disturbed ones, by the dice given and nothing else."""

from collections import Counter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomgan.gan.disturb import KINDS, LARGEST, SMALLEST, disturb, wear

LENGTH = 16


def dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def windows(count: int, channels: int, length: int = LENGTH, seed: int = 0) -> Tensor:
    """Noisy sines (count, channels, length), no two windows or cells alike."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1)) + np.arange(channels)[:, None] + np.arange(length) / 3.0
    return torch.from_numpy(np.sin(phase) + 0.1 * rng.normal(size=phase.shape)).float()


def kind_of(x: NDArray[np.float32], y: NDArray[np.float32], b: int, c: int) -> tuple[str, float] | None:
    """Which disturbance took channel c of window b from x to y, and its size; None where too little changed to tell."""
    late = np.flatnonzero(y[b, c] != x[b, c])
    if len(late) < 5:
        return None
    length, old, new = x.shape[2], x[b, c, late].astype(float), y[b, c, late].astype(float)
    mean = x[b, c].astype(float).mean()
    ratio, ramp = (new - mean) / (old - mean), np.diff(new - old) / np.diff(late)
    if np.ptp(new) == 0:
        return "frozen", 0.0
    if np.ptp(new - old) < 1e-5:
        return "shift", abs(float(np.mean(new - old)))
    if any(np.array_equal(y[b, c, late], other) for i, other in enumerate(x[:, c, late]) if i != b):
        return "exchanged", 0.0
    if np.array_equal(y[b, c, late], x[b, c, length // 2 + late // 2]):
        return "slow", 0.0
    if np.ptp(ratio) < 1e-3 * abs(ratio.mean()):
        return "amplitude", float(np.median(ratio))
    if np.ptp(ramp) < 1e-4:
        return "drift", abs(float(ramp.mean())) * length / 2
    return "noise", float(np.std(new - old))


def test_every_kind_occurs_about_as_often_and_in_sizes_from_small_to_large() -> None:
    x = windows(2100, 1)
    y = disturb(x, dice(1)).numpy()
    found = [kind for b in range(len(x)) if (kind := kind_of(x.numpy(), y, b, 0)) is not None]
    counts = Counter(name for name, _ in found)
    assert set(counts) == {"shift", "exchanged", "frozen", "noise", "amplitude", "drift", "slow"}
    assert len(counts) == KINDS
    assert min(counts.values()) > 0.6 * len(found) / KINDS
    for name in ("shift", "drift"):
        sizes = np.array([size for kind, size in found if kind == name])
        assert sizes.min() >= 0.99 * SMALLEST
        assert sizes.max() <= 1.01 * LARGEST
        assert 0.35 < np.mean(sizes < np.sqrt(SMALLEST * LARGEST)) < 0.65  # small ones as often as large
    ratios = np.array([size for kind, size in found if kind == "amplitude"])
    assert ratios.min() == pytest.approx(np.exp(-1.5), rel=0.05)
    assert ratios.max() == pytest.approx(np.exp(1.5), rel=0.05)


def test_all_channels_of_a_window_are_disturbed_in_one_way() -> None:
    x = windows(700, 6)
    y = disturb(x, dice(2)).numpy()
    for b in range(len(x)):
        kinds = {kind[0] for c in range(6) if (kind := kind_of(x.numpy(), y, b, c)) is not None}
        assert len(kinds) <= 1


def test_a_window_disturbed_from_a_row_onwards_is_as_it_was_before_it_in_all_channels() -> None:
    x = windows(600, 6)
    y = disturb(x, dice(0))
    changed = (y != x).numpy()
    ever = [window for window in changed if window.any()]
    begins = np.array([int(window.any(axis=0).argmax()) for window in ever])
    assert 0.4 < np.mean(begins == 0) < 0.65  # half of them as a whole, the others from some row onwards
    assert set(range(1, LENGTH - 2)) <= set(begins.tolist())
    for window, begin in zip(ever, begins, strict=True):
        assert not window[:, :begin].any()
        firsts = [int(channel.argmax()) for channel in window if channel.any()]
        assert max(firsts) - min(firsts) <= 2  # a value may happen to be the same for a row
        if begin < LENGTH - 6:  # of a frozen or drifting channel its first row is as it was
            assert np.mean(window[window.any(axis=1)][:, begin + 1 :]) > 0.7


def test_one_channel_or_about_half_of_them_are_disturbed() -> None:
    x = windows(1000, 8)
    touched = (disturb(x, dice(0)) != x).any(2).sum(1).numpy()
    assert touched.max() <= 8
    assert 0.4 < np.mean(touched == 1) < 0.65
    assert 3.0 < touched[touched > 1].mean() < 5.5


def test_something_changes_unless_the_kind_cannot_in_the_last_row() -> None:
    """Frozen, drifting or slow from the newest row on is as it was; a window exchanged for itself as well."""
    x = windows(2000, 2)
    touched = (disturb(x, dice(0)) != x).flatten(1).any(1).float().mean()
    assert touched > 0.97


@pytest.mark.parametrize(("batch", "channels", "length"), [(1, 1, 16), (1, 5, 24), (7, 1, 64), (3, 100, 16)])
def test_any_batch_keeps_its_shape_and_stays_finite(batch: int, channels: int, length: int) -> None:
    x = windows(batch, channels, length)
    kept = x.clone()
    for seed in range(30):
        y = disturb(x, dice(seed))
        assert (y.shape, y.dtype) == (x.shape, x.dtype)
        assert torch.isfinite(y).all()
    assert torch.equal(x, kept)


def test_constant_windows_stay_finite() -> None:
    assert torch.isfinite(disturb(torch.full((200, 2, 16), 3.0), dice(0))).all()


def test_a_single_channel_is_disturbed_too() -> None:
    x = windows(500, 1)
    assert (disturb(x, dice(0)) != x).flatten(1).any(1).float().mean() > 0.97


def test_wearing_adds_mild_noise_and_now_and_then_loses_one_channel() -> None:
    x = torch.ones(2000, 3, 16)
    y = wear(x, dice(0))
    lost = (y == 0).all(dim=2)  # (2000, 3)
    assert lost.sum(dim=1).max() == 1
    assert 0.05 < lost.any(dim=1).float().mean() < 0.15
    assert lost.any(dim=0).all()
    assert 0.03 < (y - x)[~lost].std() < 0.07
    assert torch.equal(x, torch.ones(2000, 3, 16))


def test_a_single_channel_is_never_lost() -> None:
    y = wear(torch.ones(500, 1, 16), dice(0))
    assert not (y == 0).all(dim=2).any()


def test_the_dice_alone_decide() -> None:
    x, state = windows(8, 3), torch.get_rng_state()
    for change in (wear, disturb):
        assert torch.equal(change(x, dice(5)), change(x, dice(5)))
        assert not torch.equal(change(x, dice(5)), change(x, dice(6)))
    assert torch.equal(torch.get_rng_state(), state)
