"""A disk that is really small: what fills it up can be worked off again."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from chaos.disk import mount_tmpfs

from anomgan.adapters.journal import Journal
from anomgan.adapters.ports import Letter, Message, Turn
from anomgan.errors import ServerError

DISK_MB, ROOM_BYTES = 24, 8_000_000
LIMIT_BYTES = 10**9


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not mount_tmpfs(folder, DISK_MB):
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(journal: Journal) -> int:
    """Turns with letters, as the service appends them, until the disk is full; how many they were."""
    for number in count():
        turn = Turn(1000.0 + number, [Message("t", bytes(60_000))])
        try:
            journal.require_room()
            journal.append(turn, [Letter("influx", bytes(60_000))])
        except ServerError:
            return number
    raise AssertionError


def test_a_disk_filled_by_what_waits_for_a_server_recovers_when_the_server_is_back(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    with (
        closing(Journal(path, LIMIT_BYTES, ROOM_BYTES)) as journal,
        closing(Journal(path, LIMIT_BYTES, ROOM_BYTES)) as courier,
    ):
        first = fill(journal)
        assert first > 50
        while letters := courier.letters("influx", 20):
            courier.delivered(letters)
        assert courier.standing().letters == 0
        journal.checkpoint({"fleet": b"state"})
        assert fill(journal) > first / 2  # what the letters have left in the file is used again
