"""A short version of `make chaos`, each kind of disturbance once, and that the comparison can find something."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from chaos.acts import CONCERNS, KINDS, Act, Kind, Means, carry_out, plan
from chaos.compare import Tally, compare_scores, compare_store
from chaos.disk import SmallDisk
from chaos.plant import PERIOD_S, START_S, Plant, train, undisturbed
from chaos.trial import FULL, SHORT, run_trial

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore

SEED = 1


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "pump.safetensors"
    train(path)
    return path


@pytest.mark.parametrize("database", sorted(SHORT))
def test_nothing_is_lost_doubled_or_changed_by_what_happens_around_the_service(
    database: str, tmp_path: Path, model: Path
) -> None:
    said: list[str] = []
    outcome = run_trial(tmp_path / "trial", database, SEED, SHORT[database], model, said.append)
    told = "\n".join((*said, *outcome.tally.words, *outcome.wrong))
    assert outcome.good, told
    assert outcome.kills == 3, told
    assert outcome.readings > 1000
