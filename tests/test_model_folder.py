"""A folder of models: who judges, since when, and that nothing half-written or changed is taken for a model."""

import json
import multiprocessing
from pathlib import Path

import pytest

from anomgan.adapters.kept_models import KeptModels
from anomgan.adapters.model_folder import Manifest, ModelFolder
from anomgan.errors import DataError, ModelFileError


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models" / "pumps")


def test_an_empty_folder_has_no_champion(folder: ModelFolder) -> None:
    assert folder.read() == Manifest()
    assert not folder.path.exists()


def test_the_first_model_judges_and_the_next_one_looks_on(folder: ModelFolder) -> None:
    assert folder.add(b"one", 1.0, "because") == (1, True)
    assert folder.add(b"two", 2.0, "newer") == (2, False)
    manifest = folder.read()
    assert (manifest.champion, manifest.challenger, manifest.numbers) == (1, 2, [1, 2])
    assert folder.content(2) == b"two"
    assert [(c.what, c.number) for c in manifest.changes] == [("trained", 1), ("promoted", 1), ("trained", 2)]
    assert manifest.made_s == 2.0
    assert folder.name_of(2) == "pumps-0002"


def test_a_promotion_can_be_reverted_and_the_reversion_too(folder: ModelFolder) -> None:
    for content in (b"one", b"two"):
        folder.add(content, 1.0, "")
    assert folder.read().champion_before is None
    folder.promote(2, b"two", 3.0, "it is better")
    manifest = folder.read()
    assert (manifest.champion, manifest.challenger, manifest.champion_before) == (2, None, 1)
    folder.promote(1, b"one", 4.0, "it was not", "reverted")
    assert (folder.read().champion, folder.read().champion_before) == (1, 2)
    with pytest.raises(DataError, match="model 1 is the champion already"):
        folder.promote(1, b"one", 5.0, "")


def test_a_number_is_never_used_twice(folder: ModelFolder) -> None:
    folder.add(b"one", 1.0, "")
    folder.model_path(7).write_bytes(b"put there by hand")
    assert folder.add(b"two", 2.0, "")[0] == 8
    folder.model_path(8).unlink()
    assert folder.add(b"three", 3.0, "")[0] == 9


def test_a_file_that_was_changed_is_not_the_model(folder: ModelFolder) -> None:
    folder.add(b"one", 1.0, "")
    folder.model_path(1).write_bytes(b"another")
    with pytest.raises(ModelFileError, match=r"0001\.safetensors: damaged"):
        folder.content(1)
    folder.model_path(1).unlink()
    with pytest.raises(ModelFileError, match="no such file"):
        folder.content(1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"version": 2, "champion": null, "challenger": null, "models": {}, "changes": []}',
        '{"version": 1, "champion": 1, "challenger": null, "models": {}, "changes": []}',
        '{"version": 1, "champion": null, "challenger": null, "models": {"x": ""}, "changes": []}',
        '{"version": 1, "champion": null, "challenger": null, "models": {}, "changes": [[1]]}',
        '{"version": 1, "champion": null, "challenger": null, "models": [], "changes": []}',
    ],
)
def test_a_manifest_that_is_none_is_refused_by_name(folder: ModelFolder, text: str) -> None:
    folder.path.mkdir(parents=True)
    folder.manifest_path.write_text(text)
    with pytest.raises(ModelFileError, match=r"manifest\.json: not a manifest of models"):
        folder.read()


def test_the_manifest_is_plain_json(folder: ModelFolder) -> None:
    folder.add(b"one", 1.0, "because")
    assert json.loads(folder.manifest_path.read_text())["changes"][0] == [1.0, "trained", 1, None, "because"]


def _add_many(path: str) -> None:
    for number in range(10):
        ModelFolder(path).add(b"%d" % number, 1.0, "")


def test_processes_that_add_at_once_lose_none(folder: ModelFolder) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_add_many, args=(str(folder.path),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert folder.read().numbers == list(range(1, 31))


def test_one_trains_at_a_time(folder: ModelFolder) -> None:
    with folder.training() as first, folder.training() as second:
        assert (first, second) == (True, False)
    with folder.training() as again:
        assert again


def test_copies_of_models_are_kept_by_what_they_are(tmp_path: Path) -> None:
    kept = KeptModels(tmp_path / "anomgan-journal.db")
    digests = ["7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed", "0" * 64]  # of b"one"; of nothing
    kept.put(digests[0], b"one")
    kept.put(digests[1], b"whatever")
    assert kept.get(digests[0]) == b"one"
    with pytest.raises(ModelFileError, match="damaged"):
        kept.get(digests[1])
    kept.keep_only({digests[0]})
    assert [file.stem for file in kept.path.iterdir()] == [digests[0]]
    with pytest.raises(ModelFileError, match="no such file"):
        kept.get(digests[1])
