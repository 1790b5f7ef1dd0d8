"""Generators of other libraries, run by a Python that has them: `PYTHON peer_generators.py NAME IN.npz OUT.npy`.

They want other versions of what this project needs, so they live in an environment of their own, and nothing of this
project is imported here. IN holds `windows` (N, L, C), `count`, `steps` and `seed`; OUT gets windows (count, L, C).
`check` as NAME says which can be imported, a line each.
"""

import os
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")
SAMPLE = 8
"""rows that DoppelGANger writes at a step"""
HIDDEN, BATCH = 24, 128
"""of TimeGAN"""


def timegan(windows: Any, count: int, steps: int, seed: int) -> Any:
    """TimeGAN (Yoon, Jarrett & van der Schaar, NeurIPS 2019), written anew from the paper; `steps` in each phase.

    Embedder, recovery, generator, supervisor and discriminator are recurrent (GRU, 24 hidden, 3 layers, the supervisor
    2), losses and weights those of the paper and its published code: first the autoencoder, then the supervisor, then
    all together, the generator twice as often, the discriminator only while its loss is above 0.15.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
    from torch.nn.functional import mse_loss

    dice = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    low, high = windows.min(axis=(0, 1)), windows.max(axis=(0, 1))
    size = np.where(high > low, high - low, 1.0)
    data = torch.tensor((windows - low) / size, dtype=torch.float32)
    length, channels = data.shape[1:]

    def network(given: int, told: int, layers: int) -> tuple[Any, Any]:
        return torch.nn.GRU(given, HIDDEN, layers, batch_first=True), torch.nn.Linear(HIDDEN, told)

    def optimiser(*networks: tuple[Any, Any]) -> Any:
        return torch.optim.Adam([weight for pair in networks for part in pair for weight in part.parameters()], 1e-3)

    def run(pair: tuple[Any, Any], given: Any, *, squash: bool = True) -> Any:
        told = pair[1](pair[0](given)[0])
        return torch.sigmoid(told) if squash else told

    def judged(given: Any, real: float) -> Any:
        told = run(discriminator, given, squash=False)
        return cross_entropy(told, torch.full_like(told, real))

    def batch() -> Any:
        return data[torch.randint(len(data), (BATCH,), generator=dice)]

    def noise(many: int) -> Any:
        return torch.rand(many, length, channels, generator=dice)

    def learn(chosen: Any, loss: Any) -> None:
        chosen.zero_grad()
        loss.backward()
        chosen.step()

    embedder, recovery = network(channels, HIDDEN, 3), network(HIDDEN, channels, 3)
    generator, supervisor = network(channels, HIDDEN, 3), network(HIDDEN, HIDDEN, 2)
    discriminator = network(HIDDEN, 1, 3)
    first, second, judge = optimiser(embedder, recovery), optimiser(generator, supervisor), optimiser(discriminator)

    def foretold(hidden: Any) -> Any:
        return mse_loss(run(supervisor, hidden)[:, :-1], hidden[:, 1:])

    def rebuilt(real: Any) -> Any:
        return 10.0 * torch.sqrt(mse_loss(run(recovery, run(embedder, real)), real))

    for _ in range(steps):
        learn(first, rebuilt(batch()))
    for _ in range(steps):
        learn(second, foretold(run(embedder, batch()).detach()))
    for _ in range(steps):
        for _ in range(2):
            real = batch()
            raw = run(generator, noise(BATCH))
            made = run(supervisor, raw)
            seen = run(recovery, made)
            moments = sum(
                torch.mean(torch.abs(of(seen) - of(real)))
                for of in (lambda x: x.mean(dim=0), lambda x: torch.sqrt(x.var(dim=0, unbiased=False) + 1e-6))
            )
            ahead = torch.sqrt(foretold(run(embedder, real).detach()))
            learn(second, judged(made, 1.0) + judged(raw, 1.0) + 100.0 * ahead + 100.0 * moments)
            learn(first, rebuilt(real) + 0.1 * foretold(run(embedder, real)))
        with torch.no_grad():
            hidden, raw = run(embedder, batch()), run(generator, noise(BATCH))
            made = run(supervisor, raw)
        loss = judged(hidden, 1.0) + judged(made, 0.0) + judged(raw, 0.0)
        if loss.item() > 0.15:
            learn(judge, loss)
    with torch.no_grad():
        found = run(recovery, run(supervisor, run(generator, noise(count)))).numpy()
    return low + size * found


def timegan_tsgm(windows: Any, count: int, steps: int, seed: int) -> Any:
    """TimeGAN of `tsgm`; `steps` in each of its three phases. Many times slower: its networks go row by row."""
    import keras
    from tsgm.models import timeGAN

    # On PyTorch, version 0.1.0 hands NumPy tensors that still carry gradients; both functions take them off here.
    timeGAN.np = SimpleNamespace(
        **{name: getattr(np, name) for name in ("array", "random", "round")},
        sqrt=lambda value: np.sqrt(_bare(value)),
        vstack=lambda values: np.vstack([_bare(value) for value in values]),
    )
    keras.utils.set_random_seed(seed)
    low, high = windows.min(axis=(0, 1)), windows.max(axis=(0, 1))
    size = np.where(high > low, high - low, 1.0)
    model = timeGAN.TimeGAN(seq_len=windows.shape[1], n_features=windows.shape[2], hidden_dim=24, batch_size=128)
    model.compile()
    model.fit(((windows - low) / size).astype(np.float32), epochs=steps)
    return low + size * model.generate(count)


def _bare(value: Any) -> Any:
    return value.detach().numpy() if hasattr(value, "detach") else value


def doppelganger(windows: Any, count: int, steps: int, seed: int) -> Any:
    """DoppelGANger (Lin et al., IMC 2020) of `gretel-synthetics`; about `steps` batches."""
    import torch
    from gretel_synthetics.timeseries_dgan.config import DGANConfig
    from gretel_synthetics.timeseries_dgan.dgan import DGAN

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 it draws from the global one
    batch = min(128, len(windows))
    model = DGAN(
        DGANConfig(
            max_sequence_len=windows.shape[1],
            sample_len=SAMPLE,
            batch_size=batch,
            epochs=max(1, steps * batch // len(windows)),
            apply_example_scaling=True,
            cuda=False,
        )
    )
    model.train_numpy(features=windows.astype(np.float32))
    return np.asarray(model.generate_numpy(count)[1])


def par(windows: Any, count: int, steps: int, seed: int) -> Any:
    """The probabilistic autoregressive model of `deepecho` (Zhang, Patki & Veeramachaneni, 2022), `steps` epochs."""
    import torch
    from deepecho import PARModel

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 it draws from the global one
    kept = windows[np.linspace(0, len(windows) - 1, min(len(windows), 256)).round().astype(int)]
    sequences = [{"context": [], "data": one.T.tolist()} for one in kept]
    model = PARModel(epochs=steps, cuda=False, verbose=False)
    model.fit_sequences(sequences, [], ["continuous"] * windows.shape[2])
    made = [np.array(model.sample_sequence([], sequence_length=windows.shape[1])).T for _ in range(count)]
    return np.stack(made).astype(float)


PEERS = {"timegan": timegan, "timegan-tsgm": timegan_tsgm, "doppelganger": doppelganger, "par": par}
STEPS = {"timegan": 1500, "timegan-tsgm": 300, "doppelganger": 3000, "par": 20}
"""minutes each on two free cores; of `tsgm` an hour"""
NEEDS = {
    "timegan": "torch",
    "timegan-tsgm": "tsgm.models.timeGAN",
    "doppelganger": "gretel_synthetics.timeseries_dgan.dgan",
    "par": "deepecho",
}


def main() -> None:
    """One generator, learned and asked for windows; or which are there."""
    name, *files = sys.argv[1:]
    if name == "check":
        for peer, module in NEEDS.items():
            try:
                __import__(module)
            except Exception as error:  # noqa: BLE001 whatever stands in the way of another's library is told
                print(f"{peer}\t{type(error).__name__}: {error}".splitlines()[0])  # noqa: T201 read by the benchmark
            else:
                print(f"{peer}\t")  # noqa: T201 the same
        return
    given = np.load(files[0])
    made = PEERS[name](given["windows"], int(given["count"]), int(given["steps"]), int(given["seed"]))
    np.save(files[1], made)


if __name__ == "__main__":
    main()
