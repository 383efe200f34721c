"""Single units and states of the network: spatial information by its definition, points and their labels."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.registry import make_task
from experiments.analysis.activations import CELL_STATE, VALUE
from experiments.analysis.during_training import live_pictures
from experiments.analysis.head_outputs import POSITION, POSTERIOR
from experiments.analysis.items import Picture, PointCloud
from experiments.analysis.place_cells import rates_by_cell, spatial_information
from experiments.analysis.state_space import state_items
from experiments.analysis.tsne import embed
from tests.experiments.synthetic import ring, ring_task, trajectories_of


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=40))
def test_spatial_information_against_its_formula(steps: list[tuple[int, int]]) -> None:
    """Skaggs and others 1993: the sum over cells of p · r / r̄ · log2(r / r̄)."""
    cell, activity = (np.array(column) for column in zip(*steps, strict=True))
    found = spatial_information(*rates_by_cell(activity[:, None].astype(np.float32), cell, 5))[0]
    mean, expected = activity.mean(), 0.0
    for number in range(4):
        mine = activity[cell == number]
        if len(mine) and mine.mean() > 0:
            expected += len(mine) / len(cell) * mine.mean() / mean * math.log2(mine.mean() / mean)
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_unit_of_one_cell_in_n_has_log2_n_bits() -> None:
    cell = np.repeat(np.arange(16), 5)
    assert spatial_information(*rates_by_cell(np.eye(16, dtype=np.float32)[cell], cell, 16)) == pytest.approx(4.0)


def test_points_are_standardised_and_labelled() -> None:
    cells = np.array([[0, 1, 2, 3, 4, 9]] * 4)
    states = np.random.default_rng(0).normal(5, 3, (4, 6, 3)).astype(np.float32)
    states[..., 1] = 1e6
    trajectories = replace(trajectories_of(cells, ring_task(), layers={"a layer": states}), thumbnail_stride=2)
    cloud, picture = state_items("5 N", trajectories)
    assert isinstance(cloud, PointCloud)
    assert isinstance(picture, Picture)
    assert cloud.name == "a layer"
    assert cloud.points.shape == (12, 3)
    assert np.abs(cloud.points).max() <= 3
    assert cloud.points.mean(0) == pytest.approx(0, abs=0.3)
    assert cloud.labels[1] == ["row 0, column 2", "row 0, column 4", "east", cloud.labels[1][3]]
    assert cloud.thumbnails is None
    trajectories.signals[CELL_STATE] = states[..., ::2].astype(np.float16)
    assert state_items("5 N", trajectories)[0].name == CELL_STATE


@pytest.mark.parametrize(("points", "width"), [(1, 3), (3, 3), (5, 1), (40, 6)])
def test_any_number_of_points_is_laid_out(points: int, width: int) -> None:
    flat = embed(np.random.default_rng(1).normal(size=(points, width)).astype(np.float32), iterations=20)
    assert flat.shape == (points, 2)
    assert np.isfinite(flat).all()


def test_pictures_of_a_training_need_no_position_decoder_and_no_single_maze() -> None:
    trajectories = trajectories_of([[0, 1, 2, 3]] * 2, ring_task())
    trajectories.signals[VALUE] = np.zeros((2, 4), dtype=np.float32)
    names = list(live_pictures(trajectories))
    assert len(names) == 2
    trajectories.signals[POSITION] = trajectories.cell
    trajectories.signals[POSTERIOR] = np.full((2, 4, 10), 0.1, dtype=np.float16)
    assert [name.tag for name in live_pictures(trajectories) if name not in names] == [
        "Live/position accuracy in percent",
        "Live/posterior over cells after 20 seconds",
    ]
    many = replace(trajectories, task=replace(ring_task(), mazes=(ring(), ring())))
    assert list(live_pictures(many)) == names[:1]


def test_occupancy_of_a_task_with_solid_cells_can_be_drawn() -> None:
    task = make_task("i-maze", observation_size=42)
    start = int(np.flatnonzero(task.mazes[0].open.ravel())[0])
    trajectories = trajectories_of([[start] * 3], task)
    trajectories.signals[VALUE] = np.zeros((1, 3), dtype=np.float32)
    assert "Live/occupancy of each cell in percent" in {name.tag for name in live_pictures(trajectories)}
