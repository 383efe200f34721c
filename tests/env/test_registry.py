"""Tasks by name and from files."""

from pathlib import Path

import pytest

from env.registry import TASK_NAMES, make_task, task_from_file
from maze_gen.errors import InputError
from maze_gen.splits import split_of


@pytest.mark.parametrize("name", TASK_NAMES)
def test_heldout_mazes_are_as_large_and_never_trained_on(name: str) -> None:
    trained, heldout = make_task(name), make_task(name, split="heldout", mazes=8)
    assert heldout.split == "heldout"
    assert len({maze.layout_digest for maze in heldout.mazes} - {maze.layout_digest for maze in trained.mazes}) == 8
    assert {split_of(maze) for maze in heldout.mazes} == {"heldout"}
    assert {maze.open.shape for maze in heldout.mazes} == {trained.mazes[0].open.shape}
    assert (heldout.goal, heldout.fruit, heldout.episode_seconds) == (trained.goal, trained.fruit, trained.episode_seconds)
    if trained.goal == "fixed":
        assert all(len(maze.goals) == 1 for maze in heldout.mazes)


def test_wrong_names_and_splits_are_named() -> None:
    with pytest.raises(InputError, match="task 'static': expected one of static-small"):
        make_task("static")
    with pytest.raises(InputError, match="split 'fixed' of task procedural-small"):
        make_task("procedural-small", split="fixed")
    with pytest.raises(InputError, match="observation size 64"):
        make_task("static-small", observation_size=64)


@pytest.mark.filterwarnings("ignore:.*too small for 5 cells")
def test_a_file_makes_a_task(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("*********\n*G   A P*\n*********\n")
    task = task_from_file(path)
    assert (task.name, task.goal, task.fruit, task.split) == ("mine", "fixed", "fixed", "fixed")
    path.write_text("*********\n*    A P*\n*********\n")
    with pytest.raises(InputError, match=r"mine\.txt: the maze has no goal"):
        task_from_file(path, goal="fixed")
    assert (task_from_file(path).goal, task_from_file(path).fruit) == ("episode", "fixed")
    path.write_text("*********\n*       *\n*********\n")
    assert (task_from_file(path).goal, task_from_file(path).fruit) == ("episode", "episode")
