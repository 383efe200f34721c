"""Values by cell, maps of a maze, and names of cells."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.analysis.maps import (
    SCALES,
    cell_name,
    heat_map,
    mean_by_cell,
    occupancy_percent,
    path_map,
    plan_of,
    posterior_plan,
)
from maze_gen.icons import HATCH
from maze_gen.maze import Maze
from maze_gen.text import read_maze
from tests.experiments.synthetic import ring_task, trajectories_of


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-9, 9)), max_size=30))
def test_mean_by_cell_against_a_loop(steps: list[tuple[int, int]]) -> None:
    cell = np.array([cell for cell, _ in steps], dtype=np.int64)
    values = np.array([value for _, value in steps], dtype=np.float64)
    found = mean_by_cell(values, cell, 6)
    for number in range(6):
        mine = [value for cell, value in steps if cell == number]
        if mine:
            assert found[number] == pytest.approx(sum(mine) / len(mine))
        else:
            assert np.isnan(found[number])


def test_mean_by_cell_takes_any_shape_and_truth_values() -> None:
    cell = np.array([[0, 1], [1, 1]])
    assert mean_by_cell(np.array([[True, False], [True, True]]), cell, 2).tolist() == pytest.approx([1, 2 / 3])


def test_occupancy_adds_up_to_all_steps_and_leaves_out_cells_never_visited() -> None:
    found = occupancy_percent(trajectories_of([[0, 0, 1, 2]], ring_task()))
    assert np.nansum(found) == pytest.approx(100)
    assert found[:3].tolist() == [50, 25, 25]
    assert np.isnan(found[3:]).all()


def test_cells_never_visited_are_hatched() -> None:
    maze = corridor(3)
    shown = [heat_map(maze, np.array([10.0, last, 90.0]), high=100) for last in (50.0, np.nan)]
    hatched = [(picture == HATCH).all(axis=2).sum() for picture in shown]
    assert hatched[0] == 0
    assert hatched[1] > 100


def corridor(cols: int) -> Maze:
    return read_maze("\n".join(["*" * (2 * cols + 1), "*" + " " * (2 * cols - 2) + "G*", "*" * (2 * cols + 1)]), "thin")


@pytest.mark.parametrize(("cols", "which"), [(12, 0), (13, 1)])
def test_wide_mazes_have_smaller_cells(cols: int, which: int) -> None:
    for size, scales in SCALES.items():
        assert plan_of(corridor(cols), size).scale == scales[which]


def test_a_heat_map_shows_high_values_elsewhere_than_low_ones() -> None:
    maze, values = corridor(3), np.array([0.0, 50.0, 100.0])
    picture = heat_map(maze, values, high=100)
    turned = heat_map(maze, values[::-1], high=100)
    assert picture.dtype == np.uint8
    assert picture.shape == turned.shape
    assert (picture != turned).any()
    assert not np.array_equal(heat_map(maze, np.array([0, np.nan, 100.0]), high=100), picture)


def blue(picture: npt.NDArray[np.uint8], cols: int) -> list[float]:
    """How much less red than blue each cell of a corridor is."""
    parts = np.array_split(picture.astype(float), cols, axis=1)
    return [float((part[..., 2] - part[..., 0]).mean()) for part in parts]


def test_the_more_probable_cell_is_darker_blue() -> None:
    shown = blue(posterior_plan(corridor(3), np.array([0.0, 0.1, 0.9])).array(), 3)
    assert shown[0] < shown[1] < shown[2]


def test_a_path_is_drawn_in_its_own_maze() -> None:
    task = ring_task()
    trajectories = trajectories_of([[0, 1, 2, 3], [0, 0, 0, 0]], task)
    walked, stood = (path_map(trajectories, episode) for episode in (0, 1))
    assert walked.shape == stood.shape
    assert (walked != stood).any()
    assert (path_map(trajectories, 0, np.array([3.0, 1.0, 2.0, 0.0])) != walked).any()


def test_cells_are_named_by_row_and_column() -> None:
    assert cell_name(7, 5) == "row 1, column 2"
