"""Details of recorded episodes: worlds whose arrays are tensors, episodes after a moved goal, frames of the film."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from agents.checkpoint import Checkpoint, load_checkpoint
from env.backends import make_batch
from env.batch import BatchEnv, Outcome
from experiments.analysis import recorder
from experiments.analysis.activations import record_activations
from experiments.analysis.decoders import own_decoder_result
from experiments.analysis.head_outputs import LOOP_LABEL, POSTERIOR, loop_labels
from experiments.analysis.items import Film
from experiments.analysis.moved_goal import play_second_episodes
from experiments.analysis.playback import Playback
from experiments.analysis.posterior import FILM_STEPS, posterior_items
from experiments.analysis.recorder import CUDA_BLOCK, Pictures
from tests.experiments.synthetic import random_walks, ring, ring_task, trajectories_of, untrained


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load_checkpoint(untrained(tmp_path_factory.mktemp("details") / "agent.safetensors", "nav-l", ring_task(4)))


def tensors(arrays: Mapping[str, npt.NDArray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


class TensorWorlds(BatchEnv):
    """Worlds on the CPU whose arrays are tensors, as those on a GPU are."""

    def __init__(self, env: BatchEnv) -> None:
        self.env, self.task, self.num_envs, self.spec = env, env.task, env.num_envs, env.spec
        self.observation, self.privileged = tensors(env.observation), tensors(env.privileged)  # type: ignore[assignment]
        out = env.outcome
        parts = [torch.from_numpy(part) for part in (out.reward, out.terminated, out.truncated)]
        self.outcome = Outcome(*parts, tensors(out.statistics))  # type: ignore[arg-type]

    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Any:
        self.env.reset(seed, streams)

    def step(self, actions: npt.ArrayLike) -> Any:
        self.env.step(np.asarray(actions))

    def reset_rows(self, rows: npt.ArrayLike) -> Any:
        self.env.reset_rows(np.asarray(rows))

    def close(self) -> None:
        self.env.close()


def test_worlds_on_a_gpu_are_recorded_as_those_on_the_cpu(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors stand in for a GPU's: the block is that of a GPU, and every array arrives as on the CPU."""
    asked = []

    def make(task: Any, rows: int, *, device: str, **others: Any) -> BatchEnv:
        asked.append((rows, device))
        return TensorWorlds(make_batch(task, rows, **others))

    pictures = Pictures((1,), 10)
    expected = record_activations(checkpoint, Playback(checkpoint.task, 3, seed=4), pictures=pictures, steps=20)
    monkeypatch.setattr(recorder, "make_batch", make)
    found = record_activations(checkpoint, Playback(checkpoint.task, 3, seed=4, device="cuda"), pictures=pictures, steps=20)
    assert asked == [(CUDA_BLOCK, "cuda")]
    for name in ("position", "heading", "cell", "goal_cell", "maze", "action", "reward", "goals", "thumbnails"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    np.testing.assert_array_equal(found.pictures[1], expected.pictures[1])
    assert set(found.signals) == set(expected.signals)
    for name, values in expected.signals.items():
        # The products are of another shape, so that roundings differ.
        np.testing.assert_allclose(found.signals[name].astype(float), values.astype(float), atol=2e-3, err_msg=name)


def test_second_episodes_are_the_same_but_for_the_kept_state(checkpoint: Checkpoint) -> None:
    playback = Playback(checkpoint.task, 4, seed=3, threads=1)
    kept, empty = (play_second_episodes(checkpoint, playback, keep) for keep in (True, False))
    for name in ("old_goal", "new_goal", "found_before"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(empty, name))
    np.testing.assert_array_equal(kept.position[:, 0], empty.position[:, 0])
    assert kept.position.shape == (4, 60, 2)
    assert (kept.old_goal == 4).all()
    assert len(set(kept.new_goal.tolist())) > 1


def test_frames_of_the_film_show_the_view_the_posterior_and_the_time(checkpoint: Checkpoint) -> None:
    found = record_activations(checkpoint, Playback(checkpoint.task, 5, seed=1), pictures=Pictures((3, 4), 30))
    result = own_decoder_result("own", found.signals[POSTERIOR], found.cell)
    (film, *pictures) = posterior_items("1 P", found, result)
    assert isinstance(film, Film)
    assert len(film.frames) == len(film.steps) == 30
    assert film.steps[-1] < min(found.steps, FILM_STEPS)
    first, last = film.frames[0], film.frames[29]
    assert first.shape == last.shape
    assert first.shape[0] % 2 == first.shape[1] % 2 == 0
    # Every pixel of the view of the shown episode is a square in the frame.
    best = max((3, 4), key=lambda episode: found.returns[episode])
    zoom = next(zoom for zoom in range(12, 0, -1) if contains(last, found.pictures[best][58], zoom))
    assert zoom >= 2
    # The cursor moves to the right.
    red = [np.flatnonzero((frame[-90:] == (208, 60, 42)).all(axis=2).any(axis=0)) for frame in (first, last)]
    assert red[0].max() < red[1].min()
    assert len(pictures) == 2


def contains(frame: npt.NDArray, view: npt.NDArray, zoom: int) -> bool:
    large = view.repeat(zoom, 0).repeat(zoom, 1)
    height, width = large.shape[:2]
    rows = range(max(0, frame.shape[0] - height))
    return any(np.array_equal(frame[top : top + height, 12 : 12 + width], large) for top in rows)


def test_nothing_is_filmed_without_pictures(checkpoint: Checkpoint) -> None:
    found = record_activations(checkpoint, Playback(checkpoint.task, 5, seed=1), steps=5)
    assert posterior_items("1 P", found, own_decoder_result("own", found.signals[POSTERIOR], found.cell)) == []


def test_loop_labels_against_their_definition() -> None:
    """A loop is closed within one cell (100 units) of an earlier position, after one more than two cells away from here."""
    cells = random_walks(3, 80, ring(), seed=4)
    position = trajectories_of(cells, ring_task()).position
    found = loop_labels(position)
    for episode, places in enumerate(position):
        distance = np.linalg.norm(places[:, None] - places[None], axis=2)
        for step in range(80):
            near = np.flatnonzero(distance[step, :step] <= 100)
            expected = any((distance[step, before:step] > 200).any() for before in near)
            assert found[episode, step] == expected, (episode, step)


def test_recorded_labels_are_those_of_the_positions(checkpoint: Checkpoint) -> None:
    found = record_activations(checkpoint, Playback(checkpoint.task, 2, threads=1))
    np.testing.assert_array_equal(found.signals[LOOP_LABEL], loop_labels(found.position))


def test_steps_can_be_fewer_than_an_episode_has(checkpoint: Checkpoint, tmp_path: Path) -> None:
    short = record_activations(checkpoint, Playback(checkpoint.task, 2, threads=1), steps=7)
    whole = record_activations(checkpoint, Playback(checkpoint.task, 2, threads=1), steps=10_000)
    assert (short.steps, whole.steps) == (7, 60)
    np.testing.assert_array_equal(short.position, whole.position[:, :7])
