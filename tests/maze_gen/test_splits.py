"""Training mazes and held-out mazes never coincide."""

import re
from itertools import product

import numpy as np
import pytest

from maze_gen.catalogue import CATALOGUE, catalogue_maze
from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig, generate
from maze_gen.maze import Maze
from maze_gen.splits import maze_of_split, mazes_of_split, split_of
from maze_gen.text import as_block, read_maze, write_maze

SMALL = GeneratorConfig(5, 10)


def walls_alone(maze: Maze) -> str:
    """The maze's text without the things in it."""
    return re.sub("[PASG]", " ", write_maze(maze))


def test_splits_share_no_layout_and_repeat_none():
    train = [walls_alone(maze) for maze in mazes_of_split(SMALL, "train", 0, 300)]
    heldout = [walls_alone(maze) for seed in (0, 1) for maze in mazes_of_split(SMALL, "heldout", seed, 60)]
    assert len(set(train)) == 300
    assert len(set(heldout[:60])) == len(set(heldout[60:])) == 60
    assert not set(train) & set(heldout)


def test_a_small_space_of_layouts_is_divided_completely():
    # 2x3 cells have few layouts: whatever seeds and parameters, each is always in the same split.
    seen: dict[str, set[str]] = {"train": set(), "heldout": set()}
    for split, loops, seed in product(("train", "heldout"), (0.0, 0.2), range(40)):
        maze = maze_of_split(GeneratorConfig(2, 3, loops=loops, apples=seed % 3), split, seed)
        seen[split].add(walls_alone(maze))
    assert seen["train"]
    assert seen["heldout"]
    assert not seen["train"] & seen["heldout"]


def test_the_split_is_the_layouts_whatever_lies_in_it_and_however_it_is_built():
    for seed in range(40):
        maze = generate(GeneratorConfig(3, 4, apples=2, goals=1), seed)
        bare = read_maze(walls_alone(maze))
        assert split_of(maze) == split_of(bare) == split_of(as_block(maze))


def test_a_quarter_is_held_out():
    share = np.mean([split_of(maze) == "heldout" for maze in mazes_of_split(SMALL, "any", 7, 600)])
    # Four standard deviations of a binomial share of 600.
    assert abs(share - 0.25) < 4 * (0.25 * 0.75 / 600) ** 0.5


@pytest.mark.parametrize("split", ["train", "heldout", "any"])
def test_a_pool_begins_with_the_smaller_pool_of_its_seed(split):
    pool = mazes_of_split(SMALL, split, 3, 12)
    assert pool[:5] == mazes_of_split(SMALL, split, 3, 5)
    assert pool[0] == maze_of_split(SMALL, split, 3)
    assert pool[0] != maze_of_split(SMALL, split, 4)
    if split != "any":
        assert {split_of(maze) for maze in pool} == {split}


def test_the_catalogue_is_not_held_out():
    """Of the project's own layouts; DeepMind Lab's are as they are."""
    assert {split_of(catalogue_maze(name)) for name in CATALOGUE if not name.startswith("lab-")} == {"train"}


def test_too_few_layouts_are_told():
    only = split_of(generate(GeneratorConfig(1, 2), 0))
    other = "train" if only == "heldout" else "heldout"
    assert maze_of_split(GeneratorConfig(1, 2), only, 0).open.shape == (1, 2)
    with pytest.raises(InputError, match=f"1x2 cells in split {other}: found 0"):
        maze_of_split(GeneratorConfig(1, 2), other, 0)
    # 2x2 cells: a ring with one of its four walls.
    assert len(mazes_of_split(GeneratorConfig(2, 2, loops=0.0), "any", 0, 4)) == 4
    with pytest.raises(InputError, match="found 4"):
        mazes_of_split(GeneratorConfig(2, 2, loops=0.0), "any", 0, 5)


def test_nonsense_is_refused():
    with pytest.raises(InputError, match="'test'"):
        maze_of_split(SMALL, "test", 0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="0 mazes"):
        mazes_of_split(SMALL, "train", 0, 0)
