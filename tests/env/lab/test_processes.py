"""The processes of a batch: started, stepped together, restarted when they die, and gone when it is closed; with a stand-in."""

import copy
import os
import pickle
import signal
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from env.lab import simulator as process
from env.lab.adapter import LabBatch
from env.task import Task
from maze_gen.errors import InputError
from maze_gen.text import read_maze

CORRIDOR = """\
***********
*        G*
***********
"""
FORWARD = 2
LOOK = 0


def corridor(**rules: Any) -> Task:
    defaults: dict[str, Any] = {"name": "corridor", "mazes": (read_maze(CORRIDOR),), "episode_seconds": 10}
    defaults["spawn_distance"] = 1
    return Task(**(defaults | rules))


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("knossos-lab-*"))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.usefixtures("stand_in")
def test_each_environment_is_a_process_of_its_own() -> None:
    before = children()
    with LabBatch(corridor(), 3) as batch:
        batch.reset(0)
        assert len(children() - before) == 3
        start = batch.privileged["position"].copy()
        batch.step(np.array([FORWARD, FORWARD, LOOK]))
        assert (batch.privileged["position"] - start)[:, 0].tolist() == [4, 4, 0]
        assert (batch.observation["rgb"] == 4).all()
        assert batch.privileged["seconds"].tolist() == pytest.approx([4 / 60] * 3)
    assert children() == before


@pytest.mark.usefixtures("stand_in")
def test_a_closed_batch_leaves_nothing_behind() -> None:
    before, kept, open_files = children(), folders(), descriptors()
    batch = LabBatch(corridor(), 4)
    batch.reset(0)
    batch.reset_rows(np.full(4, True))
    for _ in range(80):
        batch.step(np.full(4, FORWARD))
    assert len(children() - before) == 8, "the next episodes' processes are being prepared"
    batch.close()
    batch.close()
    assert children() == before
    assert folders() == kept
    assert descriptors() <= open_files + 1
    with pytest.raises(InputError, match="step after close"):
        batch.step(np.zeros(4, dtype=int))


def test_an_own_death_restarts_the_episode(stand_in: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with LabBatch(corridor(), 2) as batch:
        batch.reset(0)
        start = batch.privileged["position"].copy()
        batch.step(np.full(2, FORWARD))
        (stand_in / "die-9").touch()
        batch.step(np.full(2, FORWARD))
        batch.step(np.full(2, FORWARD))
        assert sorted(batch.restarts.tolist()) == [0, 1]
        died = int(np.argmax(batch.restarts))
        assert batch.privileged["position"][died].tolist() == start[died].tolist()
        assert batch.privileged["seconds"][died] == 0
        assert not batch.outcome.truncated.any()
        assert batch.privileged["seconds"][1 - died] == pytest.approx(12 / 60)
        said = capfd.readouterr().err
        assert f"environment {died} restarts its episode" in said
        assert "exit code 3" in said
        assert "the world ends" in said
        batch.step(np.full(2, FORWARD))
        assert batch.privileged["position"][died, 0] == start[died, 0] + 4


@pytest.mark.usefixtures("stand_in")
def test_a_killed_process_is_replaced(capfd: pytest.CaptureFixture[str]) -> None:
    with LabBatch(corridor(), 1) as batch:
        before = children()
        batch.reset(0)
        (pid,) = children() - before
        os.kill(pid, signal.SIGKILL)
        batch.step([FORWARD])
        assert batch.restarts.tolist() == [1]
        assert f"process {pid} died (signal SIGKILL)" in capfd.readouterr().err


def test_a_process_that_hangs_is_given_up(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "START_SECONDS", 0.7)
    (stand_in / "hang").touch()
    before = children()
    batch = LabBatch(corridor(), 1)
    with pytest.raises(InputError, match=r"environment 0: .* timed out .* given up after 3 attempts"):
        batch.reset(0)
    assert children() == before
    assert batch.restarts.tolist() == [2]


def test_a_level_that_cannot_start_says_why(stand_in: Path) -> None:
    (stand_in / "refuse").touch()
    with LabBatch(corridor(), 1) as batch, pytest.raises(InputError, match="no level today"):
        batch.reset(0)


@pytest.mark.usefixtures("stand_in")
def test_a_batch_that_is_forgotten_is_cleaned_up() -> None:
    before, kept = children(), folders()
    batch = LabBatch(corridor(), 1)
    batch.reset(0)
    del batch
    assert children() == before
    assert folders() == kept


@pytest.mark.usefixtures("stand_in")
def test_maps_are_compiled_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with LabBatch(corridor(), 3) as batch:
        batch.reset(0)
        assert "compiling 1 map(s) of corridor, once" in capfd.readouterr().err
        assert len(list((tmp_path / "cache").glob("knossos_*.pk3"))) == 1
        batch.reset(1)
    with LabBatch(corridor(), 1) as batch:
        batch.reset(2)
    assert "compil" not in capfd.readouterr().err


@pytest.mark.usefixtures("stand_in")
def test_time_truncates_and_the_next_episode_follows() -> None:
    with LabBatch(corridor(episode_seconds=1), 2) as batch:
        batch.reset(0)
        for step in range(15):
            batch.step(np.full(2, FORWARD))
            assert batch.outcome.truncated.tolist() == [step == 14] * 2
        with pytest.raises(InputError, match="row 0: its episode has ended"):
            batch.step(np.full(2, FORWARD))
        batch.reset_rows(np.array([True, False]))
        assert batch.privileged["seconds"].tolist() == [0, 1]
        with pytest.raises(InputError, match="row 1: its episode has ended"):
            batch.step(np.full(2, FORWARD))
        batch.reset_rows(np.array([False, True]))
        batch.step(np.full(2, FORWARD))


@pytest.mark.usefixtures("stand_in")
def test_small_pictures_are_drawn_larger_and_shrunk() -> None:
    with LabBatch(corridor(observation_size=42), 1, observe={"rgb", "velocity", "depth", "depth_target"}) as batch:
        seen = batch.reset(0)
        assert seen["rgb"].shape == (1, 42, 42, 3)
        assert seen["depth"].shape == (1, 42, 42)
        assert seen["depth_target"].shape == (1, 4, 16)
        assert (seen["depth_target"] > 0).all()


@pytest.mark.usefixtures("stand_in")
def test_processes_cannot_be_copied() -> None:
    with LabBatch(corridor(), 1) as batch:
        for way in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(InputError, match="cannot be copied"):
                way(batch)


@pytest.mark.usefixtures("stand_in")
def test_wrong_calls_are_refused() -> None:
    with LabBatch(corridor(), 2) as batch:
        with pytest.raises(InputError, match="step before reset"):
            batch.step([0, 0])
        batch.reset(0)
        with pytest.raises(InputError, match="row 1: action 8"):
            batch.step([0, 8])
        with pytest.raises(InputError, match=r"shape \(3,\)"):
            batch.step([0, 0, 0])
        with pytest.raises(InputError, match="float"):
            batch.step([0.5, 0.5])
        with pytest.raises(InputError, match="rows have shape"):
            batch.reset_rows([True])
        with pytest.raises(InputError, match="seed is -1"):
            batch.reset(-1)
