"""The pools that come as files hold what the generator draws."""

import numpy as np
import pytest

from maze_gen.generator import GeneratorConfig
from maze_gen.pools import DRAWN, POOLS, attempt, pool_of_split
from maze_gen.splits import Split, mazes_of_split, split_of


@pytest.mark.parametrize(("rows", "cols", "split", "count"), DRAWN)
def test_any_maze_can_be_drawn_again(rows: int, cols: int, split: Split, count: int) -> None:
    config = GeneratorConfig(rows, cols)
    mazes = pool_of_split(config, split, count)
    attempts = np.load(POOLS / f"{rows}x{cols}-{split}.npz")["attempts"]
    assert len(mazes) == count == len(attempts)
    assert (np.diff(attempts.astype(int)) > 0).all()
    for index in [*range(0, count, count // 20), count - 1]:
        assert attempt(config, int(attempts[index]), decorate=True) == mazes[index]
    assert {split_of(maze) for maze in mazes} == {split}
    assert len({maze.layout_digest for maze in mazes}) == count


def test_no_attempt_of_the_split_is_left_out() -> None:
    config = GeneratorConfig(5, 10)
    attempts = set(np.load(POOLS / "5x10-heldout.npz")["attempts"].tolist())
    for number in range(60):
        assert (split_of(attempt(config, number)) == "heldout") == (number in attempts)


def test_a_pool_begins_with_the_mazes_of_its_split() -> None:
    for config in (GeneratorConfig(5, 10), GeneratorConfig(9, 15), GeneratorConfig(4, 4), GeneratorConfig(5, 10, apples=2)):
        assert pool_of_split(config, "train", 12) == mazes_of_split(config, "train", 0, 12)
    assert pool_of_split(GeneratorConfig(5, 10), "train", 3) == pool_of_split(GeneratorConfig(5, 10), "train", 1000)[:3]
