"""A report on synthetic data before it leaves the house: what leaks of the training data, and what cannot be told.

It names each risk found and never calls data safe: synthetic data protect nobody by being synthetic (Stadler, Oprisanu
& Troncoso, "Synthetic Data - Anonymisation Groundhog Day", USENIX Security 2022), and a test that finds nothing has not
looked everywhere. It refuses to say anything where there is too little data, or where held-out data were trained on.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anomgan.errors import DataError
from anomgan.privacy.adversarial import Adversarial, adversarial_accuracy
from anomgan.privacy.chance import LEAST_BLOCKS, Control, Measured
from anomgan.privacy.closest import Closest, closest_control, closest_record
from anomgan.privacy.distances import EXACT, Distances, Progress, measure_distances
from anomgan.privacy.duplicates import Duplicates, find_duplicates
from anomgan.privacy.membership import Attack, Judge, attack_control, black_box, white_box
from anomgan.privacy.ratio import Ratio, distance_ratio, ratio_control
from anomgan.privacy.sample import Sample

BLOCKS = 20
"""of held-out data, if it is long enough"""
SHORTEST = 2
"""windows to a block"""
SAME = 0.01
"""of held-out windows may be the same as training windows beyond what training windows are of each other"""


@dataclass(frozen=True, slots=True, eq=False)
class PrivacyReport:
    """What was measured of synthetic windows (N, C, L) against the training windows and held-out ones.

    windows of training, held-out and synthetic data; blocks of each, of block_rows rows. attacks: black box, and white
    box where a discriminator was given. controls: measures with real data in the place of synthetic data.
    """

    channels: int
    length: int
    windows: tuple[int, int, int]
    blocks: tuple[int, int, int]
    block_rows: int
    closest: Closest
    ratio: Ratio
    adversarial: Adversarial
    duplicates: Duplicates
    attacks: tuple[Attack, ...]
    controls: Mapping[str, Control]

    @property
    def measures(self) -> dict[str, Measured]:
        """Every measure by name."""
        named = {
            "distance to the closest record": self.closest.share,
            "nearest-neighbour distance ratio": self.ratio.share,
            "nearest-neighbour adversarial accuracy": self.adversarial.loss,
        }
        for one in self.attacks:
            named[f"membership inference, {one.name}"] = one.auc
            named[f"membership inference, {one.name}, few false alarms"] = one.found
        return named

    @property
    def drifted(self) -> bool:
        """Whether training and held-out data can be told apart by themselves."""
        return any(one.differs for one in self.controls.values())

    @property
    def risks(self) -> tuple[str, ...]:
        """The measures that found a leak, by name; duplicates among them."""
        found = [name for name, one in self.measures.items() if one.verdict == "leak"]
        return (*(["duplicates"] if self.duplicates.leak else []), *found)

    @property
    def undecided(self) -> tuple[str, ...]:
        """The measures that cannot tell a leak from how training and held-out data differ by themselves."""
        return tuple(name for name, one in self.measures.items() if one.verdict == "cannot tell")

    def as_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        kinds = ("train", "held_out", "synthetic")
        return {
            "window": self.length,
            "channels": self.channels,
            "windows": dict(zip(kinds, self.windows, strict=True)),
            "blocks": {**dict(zip(kinds, self.blocks, strict=True)), "rows": self.block_rows},
            "risks": list(self.risks),
            "undecided": list(self.undecided),
            "train_and_held_out_differ": self.drifted,
            "measures": {name: asdict(one) for name, one in self.measures.items()},
            "distance_to_train": {
                name: {"q05": float(np.quantile(values, 0.05)), "median": float(np.median(values))}
                for name, values in (("synthetic", self.closest.synthetic), ("held_out", self.closest.held_out))
            },
            "ratio_to_train": {
                name: {"q05": float(np.nanquantile(values, 0.05)), "median": float(np.nanmedian(values))}
                for name, values in (("synthetic", self.ratio.synthetic), ("held_out", self.ratio.held_out))
            },
            "excess_of_closest": self.closest.excess,
            "controls": {name: asdict(one) for name, one in self.controls.items()},
            "adversarial_accuracy": {"train": self.adversarial.train, "held_out": self.adversarial.held_out},
            "duplicates": {
                "windows": self.duplicates.windows,
                "exact": self.duplicates.exact,
                "close": self.duplicates.close,
                "certain": self.duplicates.certain,
                "close_share_of_real": self.duplicates.real,
                "leak": self.duplicates.leak,
                "places": [asdict(one) for one in self.duplicates.places],
            },
            "false_alarms_of_attacks": {one.name: one.false_alarms for one in self.attacks},
        }


def examine(
    train: Sample,
    held_out: Sample,
    synthetic: Sample,
    rng: np.random.Generator,
    *,
    discriminator: Judge | None = None,
    progress: Progress | None = None,
) -> PrivacyReport:
    """Take all measures; train holds every window that the generator was trained on, held_out none of them.

    All are scaled alike. `discriminator` gives a sample of real windows their scores (N,) for the white-box attack;
    `progress` gets (windows done, windows in all). DataError where there is too little to say anything or where the
    held-out data are not disjoint from the training data.
    """
    block = _block_rows(train, held_out, synthetic)
    tables = measure_distances(train, held_out, synthetic, block, progress)
    _require_disjoint(tables, held_out)
    controls = {
        "closest": closest_control(tables, rng),
        "ratio": ratio_control(tables, rng),
        "attack": attack_control(tables, rng),
    }
    apart = any(one.differs for one in controls.values())
    attacks = black_box(tables, apart, rng)
    if discriminator is not None:
        attacks = (*attacks, white_box(tables, discriminator, apart, rng))
    return PrivacyReport(
        channels=int(train.windows.shape[1]),
        length=train.length,
        windows=(len(train), len(held_out), len(synthetic)),
        blocks=(int(tables.member.sum()), int((~tables.member).sum()), len(tables.synthetic_blocks)),
        block_rows=block,
        closest=closest_record(tables, apart, rng),
        ratio=distance_ratio(tables, apart, rng),
        adversarial=adversarial_accuracy(tables, apart, rng),
        duplicates=find_duplicates(tables, apart, rng),
        attacks=attacks,
        controls=controls,
    )


def _block_rows(train: Sample, held_out: Sample, synthetic: Sample) -> int:
    """Rows to a block; DataError where windows differ in shape or are too few."""
    shapes = {one.windows.shape[1:] for one in (train, held_out, synthetic)}
    if len(shapes) > 1:
        raise DataError(f"windows of different shapes (C, L): {', '.join(map(str, sorted(shapes)))}")
    length = train.length
    shortest = SHORTEST * length
    longest = (len(held_out) // BLOCKS) * max(1, int(np.median(np.diff(held_out.rows)))) if len(held_out) > 1 else 0
    block = max(shortest, longest)
    for name, one in (("training", train), ("held-out", held_out), ("synthetic", synthetic)):
        there = len(np.unique(one.rows // block)) if len(one) else 0
        if there < LEAST_BLOCKS:
            raise DataError(
                f"too little {name} data to conclude anything: {len(one)} windows of {length} rows make {there} blocks "
                f"of {block} rows, and chance takes {LEAST_BLOCKS}; at least {LEAST_BLOCKS * shortest + length} rows "
                "without a gap are needed"
            )
    return block


def _require_disjoint(tables: Distances, held_out: Sample) -> None:
    """DataError where held-out windows are training windows; windows that real data repeat do not count."""
    inside = tables.is_member
    to_train = np.where(tables.member, tables.real_real, np.inf).min(axis=1)  # of another time
    same, repeated = to_train[~inside] <= EXACT, to_train[inside] <= EXACT
    allowed = 2.0 * repeated.mean() + SAME if repeated.any() else 0.0
    if same.mean() > allowed:
        asked = tables.asked_real[~inside] - (len(tables.real) - len(held_out))
        row = int(held_out.rows[asked[same.argmax()]])
        raise DataError(
            f"the held-out data are not disjoint from the training data: {int(same.sum())} of {len(same)} held-out "
            f"windows looked at are training windows, the first from row {row} on; nothing can be concluded"
        )
