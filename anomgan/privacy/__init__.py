"""What synthetic data give away of the data that their generator was trained on: measures, and a report in words.

    from anomgan.privacy import examine, sliding_windows, words

    report = examine(train, held_out, synthetic, np.random.default_rng(0))  # Samples of windows (N, C, L)
    print("\\n".join(words(report)))

sample         windows of one data set and the row each begins with
distances      how near each block of time comes to each window; all measures are read off that
closest        distance to the closest record: to training data against held-out data
ratio          nearest-neighbour distance ratio, likewise
adversarial    nearest-neighbour adversarial accuracy, likewise
duplicates     training windows that appear again, and where
membership     attacks that tell training windows from others, black box and white box
chance         what chance alone would show
report         all of it as one record
words          and as text
"""

from anomgan.privacy.adversarial import Adversarial
from anomgan.privacy.chance import Control, Measured
from anomgan.privacy.closest import Closest
from anomgan.privacy.duplicates import Copy, Duplicates
from anomgan.privacy.membership import Attack, score_attack
from anomgan.privacy.ratio import Ratio
from anomgan.privacy.report import PrivacyReport, examine
from anomgan.privacy.sample import Sample, loose_windows, sliding_windows
from anomgan.privacy.words import words

__all__ = [
    "Adversarial",
    "Attack",
    "Closest",
    "Control",
    "Copy",
    "Duplicates",
    "Measured",
    "PrivacyReport",
    "Ratio",
    "Sample",
    "examine",
    "loose_windows",
    "score_attack",
    "sliding_windows",
    "words",
]
