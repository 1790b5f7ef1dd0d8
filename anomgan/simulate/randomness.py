"""Random numbers by address: every device has streams of its own, cut into blocks that can be drawn in any order.

A counter-based generator (Philox; Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011) is keyed by the
seed and the name of what it is for, and its counter is set by the block. So the numbers of one device at one row depend
on nothing else: neither on the other devices, nor on how many rows are taken at a time, nor on where one starts.
"""

import hashlib
from typing import NamedTuple

import numpy as np

from anomgan.records import Floats

BLOCK = 128
"""rows per block: all that depends on rows is computed in whole blocks"""

Key = tuple[int, int]


class Draws(NamedTuple):
    """One block of random numbers of D devices: shocks (R, K, D) standard normal, chances (R, U, D) in [0, 1),
    noise (D, R, C) standard normal; R = BLOCK.
    """

    shocks: Floats
    chances: Floats
    noise: Floats


def stream_key(seed: int, *names: str) -> Key:
    """128 bits that are another stream for every seed and every list of names."""
    text = "\x1f".join((str(seed), *names)).encode()
    digest = hashlib.blake2b(text, digest_size=16, person=b"anomgan-sim").digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def generator(key: Key, block: int = 0) -> np.random.Generator:
    """The generator of one block of a stream; blocks are 2**192 draws apart."""
    return np.random.Generator(np.random.Philox(key=list(key), counter=[0, 0, 0, block]))


def draw_block(keys: list[Key], block: int, shocks: int, chances: int, channels: int) -> Draws:
    """The block-th block of each device's stream."""
    devices = len(keys)
    shock = np.empty((devices, BLOCK, shocks))
    chance = np.empty((devices, BLOCK, chances))
    noise = np.empty((devices, BLOCK, channels))
    for index, key in enumerate(keys):
        source = generator(key, block)
        source.standard_normal(out=shock[index])
        source.random(out=chance[index])
        source.standard_normal(out=noise[index])
    shock, chance = (np.ascontiguousarray(drawn.transpose(1, 2, 0)) for drawn in (shock, chance))
    return Draws(shock, chance, noise)
