"""The detectors that are compared, by name. A new one is a function of the contract `said.Fit` and a line here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anomgan.baselines import require_scikit_learn
from anomgan.config import DetectorConfig
from anomgan.errors import ConfigError
from anomgan_benchmark.ablation import fit_ablation, fit_not_adversarial
from anomgan_benchmark.gan import NAME, fit_gan
from anomgan_benchmark.plain import fit_iforest, fit_knn, fit_pca, fit_zscore
from anomgan_benchmark.said import Fit

ALL_SETTINGS = tuple(DetectorConfig.model_fields)


@dataclass(frozen=True, slots=True)
class Entry:
    """How a detector is fitted, which settings it takes (those it does not cannot change its results), and what
    raises ConfigError where something it needs is not installed."""

    fit: Fit
    takes: tuple[str, ...] = ()
    require: Callable[[], None] = lambda: None


DETECTORS: dict[str, Entry] = {
    NAME: Entry(fit_gan, takes=ALL_SETTINGS),
    "ablation": Entry(fit_ablation, takes=ALL_SETTINGS),
    "not-adversarial": Entry(fit_not_adversarial, takes=ALL_SETTINGS),
    "zscore": Entry(fit_zscore),
    "pca": Entry(fit_pca),
    "knn": Entry(fit_knn),
    "iforest": Entry(fit_iforest, takes=("seed",), require=require_scikit_learn),
}
REFERENCE = NAME
"""The one that the others are held against."""
PLAIN = ("zscore", "pca", "knn", "iforest")
"""The baselines: where one of them beats the reference, the table says so."""


def check_detectors(names: Sequence[str]) -> None:
    """ConfigError for a name that is none, or one that needs what is not installed."""
    for name in names:
        if name not in DETECTORS:
            raise ConfigError(f"there is no detector {name!r}; there are {', '.join(DETECTORS)}")
        DETECTORS[name].require()


def without_repeats(names: Sequence[str]) -> list[str]:
    """Names, each once; an ablation tells what the whole detector says too, which is then not fitted again."""
    wanted = list(dict.fromkeys(names))
    return [name for name in wanted if not (name == REFERENCE and "ablation" in wanted)]


def settings_for(name: str, config: DetectorConfig) -> DetectorConfig:
    """The configuration with the defaults for everything that this detector does not take."""
    taken = {key: getattr(config, key) for key in DETECTORS[name].takes}
    return DetectorConfig().model_copy(update=taken)
