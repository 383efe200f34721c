"""Where DeepMind Lab comes from in these tests: the real one, where it is installed, or a stand-in for its processes."""

import importlib
import importlib.util
import tempfile
from pathlib import Path

import pytest

from env.lab import adapter, compare
from env.lab import released_levels as released


def keep_files_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    for module in (adapter, compare, released):
        monkeypatch.setattr(module, "cache_folder", lambda: folder)
    return folder


@pytest.fixture(scope="session")
def compiled_maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("maps")


@pytest.fixture
def real_lab(monkeypatch: pytest.MonkeyPatch, compiled_maps: Path) -> Path:
    """The real one; the folder where compiled maps are kept."""
    if importlib.util.find_spec("deepmind_lab") is None:
        pytest.skip("DeepMind Lab's module deepmind_lab isn't installed here")
    return keep_files_in(monkeypatch, compiled_maps)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The stand-in; the folder whose files make it fail."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "stand_in"))
    importlib.invalidate_caches()
    keep_files_in(monkeypatch, tmp_path / "cache")
    trouble, temporary = tmp_path / "trouble", tmp_path / "temporary"
    trouble.mkdir()
    temporary.mkdir()
    # Of its own: tests that look for what is left there don't see what other tests, run beside them, are using.
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("STAND_IN_TROUBLE", str(trouble))
    return trouble
