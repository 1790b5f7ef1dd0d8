"""How far a training is, for whoever waits for it."""

from collections.abc import Callable
from typing import Self

from tqdm import tqdm

from anomgan.gan.train import TrainingStep


class TrainingBar:
    """The progress bar: steps, time left, and the last look at the game."""

    def __init__(self, steps: int, *, show: bool) -> None:
        self._bar = tqdm(total=steps, desc="training", unit="step", disable=not show, leave=True, dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def watching(self, on_step: Callable[[TrainingStep], None] | None) -> Callable[[TrainingStep], None]:
        """`on_step`, with the bar moved on."""

        def watch(step: TrainingStep) -> None:
            self._bar.update(1)
            if step.health is not None:
                self._bar.set_postfix(
                    reconstruction=f"{step.health.reconstruction_error:.3f}",
                    diversity=f"{step.health.diversity:.2f}",
                    refresh=False,
                )
            if on_step is not None:
                on_step(step)

        return watch
