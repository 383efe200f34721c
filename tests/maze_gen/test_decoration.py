"""How walls look: coloured stretches, and pictures that are unique and everywhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maze_gen.decoration import decorate, landmark_count, redecorated
from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig, generate
from maze_gen.maze import (
    COLOURED_FACES,
    FIRST_LANDMARK_FACE,
    LANDMARKS,
    PLAIN_FACE,
    THEMES,
    Maze,
)
from maze_gen.paths import all_distances
from maze_gen.text import read_maze


def pictures(maze: Maze) -> list[int]:
    faces = maze.decoration.faces
    return faces[faces >= FIRST_LANDMARK_FACE].tolist()


@pytest.mark.parametrize(("size", "low", "high"), [((5, 10), 14, 14), ((9, 15), 33, 35), ((13, 20), 54, 61), ((30, 30), 64, 64)])
def test_as_many_pictures_as_the_released_levels_have_each_once(size, low, high):
    for seed in range(4):
        shown = pictures(generate(GeneratorConfig(*size), seed))
        assert low <= len(shown) <= high
        assert len(set(shown)) == len(shown)
        assert max(shown) < FIRST_LANDMARK_FACE + LANDMARKS


@given(st.integers(1, 400))
def test_more_cells_never_have_fewer_pictures(cells):
    assert 0 <= landmark_count(cells - 1) <= landmark_count(cells) <= LANDMARKS


@given(st.integers(0, 10**6), st.sampled_from(["thin", "block"]))
@settings(max_examples=30, deadline=None)
def test_every_wall_has_a_look_and_nothing_else_has(seed, geometry):
    maze = generate(GeneratorConfig(4, 6, geometry), seed)
    faces = maze.decoration.faces
    assert ((faces > 0) == maze.walls).all()
    known = {PLAIN_FACE, *range(2, 2 + COLOURED_FACES), *range(FIRST_LANDMARK_FACE, FIRST_LANDMARK_FACE + LANDMARKS)}
    assert set(faces[maze.walls].tolist()) <= known
    assert 0 <= maze.decoration.theme < THEMES


@pytest.mark.parametrize("size", [(5, 10), (9, 15), (13, 20)])
def test_a_picture_is_near_wherever_one_stands(size):
    for seed in range(5):
        maze = generate(GeneratorConfig(*size), seed)
        with_picture = np.flatnonzero((maze.decoration.faces >= FIRST_LANDMARK_FACE).any(axis=2).ravel())
        nearest = all_distances(maze)[with_picture].min(axis=0)
        assert nearest.max() <= 4
        assert nearest.mean() < 1.5


def test_pictures_are_farther_apart_than_if_they_were_scattered():
    def walk_to_next_picture(maze: Maze, faces: np.ndarray) -> float:
        cells = faces[:, 0] * maze.cols + faces[:, 1]
        apart = all_distances(maze)[np.ix_(cells, cells)] + 1000 * np.eye(len(cells))
        return float(apart.min(axis=1).mean())

    for seed in range(5):
        maze = generate(GeneratorConfig(9, 15), seed)
        pictured = np.argwhere(maze.decoration.faces >= FIRST_LANDMARK_FACE)
        scattered = np.random.default_rng(seed).permutation(np.argwhere(maze.walls))[: len(pictured)]
        assert walk_to_next_picture(maze, pictured) > 1.4 * walk_to_next_picture(maze, scattered)


def test_colours_come_in_stretches():
    same, pairs, coloured, walls = 0, 0, 0, 0
    for seed in range(10):
        maze = generate(GeneratorConfig(9, 15), seed)
        faces = np.where(maze.decoration.faces >= FIRST_LANDMARK_FACE, 0, maze.decoration.faces)
        coloured += int((faces > PLAIN_FACE).sum())
        walls += int((faces > 0).sum())
        # Neighbouring faces along the outer walls at the top.
        top = faces[0, :, 1]
        both = (top[1:] > PLAIN_FACE) & (top[:-1] > 0) & (maze.walls[0, 1:, 2] == 0)
        pairs += int(both.sum())
        same += int((both & (top[1:] == top[:-1])).sum())
    assert 0.2 < coloured / walls < 0.6
    # Colours drawn a face at a time would agree in about one pair of ten.
    assert same > 0.5 * pairs > 0


def test_seeds_decide():
    maze = read_maze("*******\n*     *\n* *** *\n*     *\n*******\n")
    again = decorate(maze.open, maze.walls, 5)
    assert (decorate(maze.open, maze.walls, 5).faces == again.faces).all()
    assert len({redecorated(maze, seed).digest for seed in range(20)}) == 20
    assert redecorated(maze, 3).layout_digest == maze.layout_digest
    assert {decorate(maze.open, maze.walls, seed).theme for seed in range(60)} == set(range(THEMES))


def test_the_number_of_pictures_can_be_chosen():
    maze = read_maze("*******\n*     *\n* *** *\n*     *\n*******\n")
    assert len(pictures(redecorated(maze, 0, landmarks=3))) == 3
    assert not pictures(redecorated(maze, 0, landmarks=0))
    # There are 14 faces of wall.
    assert len(pictures(redecorated(maze, 0, landmarks=64))) == int(maze.walls.sum())
    for wrong in (-1, 65):
        with pytest.raises(InputError, match="expected 0 to 64"):
            redecorated(maze, 0, landmarks=wrong)
