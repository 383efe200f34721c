"""Decoders on synthetic agents: one whose hidden state is the position plus noise, and one that knows nothing."""

import numpy as np
import numpy.typing as npt
import pytest

from experiments.analysis.decoders import (
    decode,
    own_decoder_result,
    split_episodes,
)
from experiments.analysis.measures import binned, confusion, entropy, heading_class, path_error, visits
from maze_gen.maze import EAST, NORTH, WEST, Decoration, Maze
from maze_gen.paths import all_distances

CELLS = 12
EPISODES, STEPS = 50, 300


@pytest.fixture(scope="module")
def cells() -> npt.NDArray[np.int64]:
    """[E, T] cells that are all visited equally often in the long run."""
    return np.random.default_rng(0).integers(CELLS, size=(EPISODES, STEPS))


def noisy_one_hot(cells: npt.NDArray[np.int64], noise: float) -> npt.NDArray[np.float32]:
    state = np.eye(CELLS)[cells] + np.random.default_rng(1).normal(0, noise, size=(*cells.shape, CELLS))
    return state.astype(np.float32)


def best_accuracy(noise: float) -> float:
    """Accuracy of naming the largest entry of one-hot plus normal noise, which nothing can beat.

    The right entry 1 + n wins if all others are below it: the mean over n of Φ((1 + n) / noise)^(CELLS - 1), here by counting.
    """
    draws = np.random.default_rng(2).normal(0, noise, size=(400_000, CELLS))
    draws[:, 0] += 1
    return float((draws.argmax(1) == 0).mean())


@pytest.mark.parametrize("kind", ["linear", "one hidden layer"])
@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_a_state_that_is_the_position_is_read_as_well_as_can_be(cells: npt.NDArray, noise: float, kind: str) -> None:
    found = decode("position", noisy_one_hot(cells, noise), cells, CELLS, kind)  # type: ignore[arg-type]
    assert found.accuracy == pytest.approx(best_accuracy(noise), abs=0.04)
    assert found.control_accuracy is not None
    # Without noise the control names one cell for each cell, so its accuracy is a multiple of 1 / 12: 0 to 3 hits are usual.
    assert found.control_accuracy < 0.3
    assert found.chance == pytest.approx(1 / CELLS, abs=0.03)


def test_posteriors_of_the_synthetic_agent_are_calibrated(cells: npt.NDArray) -> None:
    """A probability of p must be right in p of the cases: the mean of the largest probability is the accuracy."""
    found = decode("position", noisy_one_hot(cells, 0.5), cells, CELLS, control=False)
    assert found.probabilities.max(-1).mean() == pytest.approx(found.accuracy, abs=0.04)


@pytest.mark.parametrize("kind", ["linear", "one hidden layer"])
def test_a_state_without_information_gives_chance(cells: npt.NDArray, kind: str) -> None:
    state = np.random.default_rng(3).normal(size=(EPISODES, STEPS, 16)).astype(np.float32)
    found = decode("position", state, cells, CELLS, kind)  # type: ignore[arg-type]
    assert found.accuracy == pytest.approx(1 / CELLS, abs=0.03)
    assert found.control_accuracy == pytest.approx(1 / CELLS, abs=0.03)


def test_chance_is_the_commonest_class() -> None:
    labels = np.zeros((10, 50), dtype=np.int64)
    labels[:, :20] = 1
    found = decode("constant", np.zeros((10, 50, 3), dtype=np.float32), labels, 4)
    assert (found.chance, found.accuracy) == (0.6, 0.6)


def test_knowing_only_the_time_is_no_knowledge_beyond_the_shuffled_control() -> None:
    """All episodes walk the same cells at the same time: the clock alone tells the cell, and the control shows it."""
    labels = np.tile(np.repeat(np.arange(CELLS), 20), (EPISODES, 1))
    clock = np.eye(CELLS)[labels].astype(np.float32)
    found = decode("position", clock, labels, CELLS)
    assert found.accuracy == pytest.approx(1.0)
    assert found.control_accuracy == pytest.approx(1.0)


def test_decoding_repeats_itself(cells: npt.NDArray) -> None:
    state = noisy_one_hot(cells, 0.5)
    first, second = (decode("position", state, cells, CELLS, control=False) for _ in range(2))
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


def test_no_episode_is_both_fitted_on_and_read() -> None:
    for episodes in (2, 3, 5, 10, 100):
        fitting, reading = split_episodes(episodes)
        assert sorted([*fitting, *reading]) == list(range(episodes))
        assert len(fitting)
        assert len(reading)
    assert len(split_episodes(100)[0]) == 60


def test_a_decoder_that_the_agent_brought_is_read_on_the_same_episodes(cells: npt.NDArray) -> None:
    found = own_decoder_result("own", np.eye(CELLS)[cells], cells)
    assert found.accuracy == 1.0
    np.testing.assert_array_equal(found.episodes, split_episodes(EPISODES)[1])


def test_heading_classes_are_centred_on_the_compass_points() -> None:
    assert heading_class([0, 22.4, 22.6, 90, 337.4, 337.6, 359.9]).tolist() == [0, 0, 1, 2, 7, 0, 0]


def test_entropy_of_known_distributions() -> None:
    assert entropy(np.array([[0.25] * 4, [1.0, 0, 0, 0], [0.5, 0.5, 0, 0]])) == pytest.approx([2, 0, 1])


def test_visits_count_entries_into_a_cell() -> None:
    assert visits(np.array([[3, 3, 4, 3, 3, 5, 3], [4, 4, 4, 4, 4, 4, 4]])).tolist() == [
        [1, 1, 1, 2, 2, 1, 3],
        [1, 1, 1, 1, 1, 1, 1],
    ]


def test_path_error_counts_cells_of_path() -> None:
    """A corridor of three cells: naming the far end is two cells wrong."""
    walls = np.ones((1, 3, 4), dtype=bool)
    walls[0, :2, EAST] = walls[0, 1:, WEST] = False
    maze = Maze("thin", np.ones((1, 3), dtype=bool), walls, Decoration(0, walls.astype(np.uint8)))
    assert walls[0, 0, NORTH]
    distance = all_distances(maze)
    assert path_error(np.array([0, 1, 2, 0]), np.array([0, 0, 0, 2]), distance).tolist() == [0, 1, 2, 2]


def test_binned_means() -> None:
    curve = binned(np.array([0, 0.5, 1, 2.5, 9, -1]), np.array([1, 3, 5, 7, 100, 100]), [0, 1, 2, 3, 4])
    assert curve.mean[:3].tolist() == [2, 5, 7]
    assert np.isnan(curve.mean[3])
    assert curve.count.tolist() == [2, 1, 1, 0]
    thick = binned(np.array([0, 0.5, 1]), np.array([1, 3, 5]), [0, 1, 2], fewest=2)
    assert thick.mean[0] == 2
    assert np.isnan(thick.mean[1])


def test_confusion_rows_are_shares() -> None:
    found = confusion(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1]), 3)
    assert found.tolist() == [[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 0]]
