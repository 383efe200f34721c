"""Block text follows the rules of DeepMind Lab's text levels, so that levels that Lab brings can be played as they are."""

import re
import warnings
from pathlib import Path

import pytest

from env.backends import make_batch
from env.registry import task_from_file
from maze_gen.errors import InputError, Note
from maze_gen.paths import distances, goal_cells
from maze_gen.text import load_maze, read_maze, write_maze

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases aren't there: {CASES}")


def test_the_longest_line_gives_the_width_and_what_is_missing_is_wall():
    maze = read_maze("*****\n*P\n* G *\n*****\n", "block")
    assert write_maze(maze) == "*****\n*P***\n* G *\n*****\n"


def test_empty_lines_are_ignored_but_lines_of_spaces_are_floor():
    assert read_maze("\n***\n\n*P*\n   \n***\n\n", "block") == read_maze("***\n*P*\n   \n***\n", "block")


def test_the_border_need_not_be_wall_because_outside_is():
    maze = read_maze("P G\n", "block")
    assert maze.open.all()
    assert maze.walls[0].tolist() == [[False, True, True, True], [False, True, False, True], [True, True, False, True]]
    assert read_maze(write_maze(maze), "block") == maze


def test_other_characters_are_floor_and_doors_are_open_with_one_note():
    with pytest.warns(
        Note, match=re.escape("level: 2 doors (H, I) are open passages and 3 other characters (a, x) are floor")
    ) as notes:
        maze = read_maze("******\n*aHIx*\n*PaG *\n******\n", "block", "level")
    assert len(notes) == 1
    assert write_maze(maze) == "******\n*    *\n*P G *\n******\n"


def test_one_door_and_one_other():
    with pytest.warns(Note, match=re.escape("1 door (H, I) is an open passage and 1 other character (é) is floor")):
        read_maze("HéPG", "block")


@pytest.mark.parametrize("character", ["\t", "\x00", "\x1b", "\u2028", "\r"])
def test_what_cannot_be_printed_is_refused_with_its_place(character):
    with pytest.raises(InputError, match="line 2, column 2: unknown character"):
        read_maze(f"****\n*{character}P*\n****\n", "block")


@needs_cases
@pytest.mark.parametrize(
    "name", ["lab_text_level_doc_example", "lab_make_map_from_text_demo", "lab_empty_room_5x5", "ragged_lines", "blank_lines"]
)
def test_the_levels_that_lab_documents_can_be_played(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Note)
        task = task_from_file(CASES / f"{name}.txt", geometry="block")
    with make_batch(task, 4) as env:
        env.reset(0)
        maze = task.mazes[0]
        for row in range(4):
            start, goal = (divmod(int(env.privileged[key][row]), maze.cols) for key in ("cell", "goal_cell"))
            assert distances(maze, goal)[start] >= task.spawn_distance >= 1


@needs_cases
def test_thin_text_stays_strict():
    for name in ("lab_text_level_doc_example", "ragged_lines", "blank_lines"):
        with pytest.raises(InputError, match=name):
            load_maze(CASES / f"{name}.txt")


def room(tmp_path, text: str) -> Path:
    path = tmp_path / "room.txt"
    path.write_text(text)
    return path


def test_the_spawn_distance_gives_way_with_a_note(tmp_path):
    path = room(tmp_path, "*****\n*P  *\n*  G*\n*****\n")
    with pytest.warns(Note, match=r"too small for 5 .* agents start 3 or more away; --spawn-distance"):
        assert task_from_file(path, geometry="block").spawn_distance == 3
    # And what is asked for is taken as it is.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert task_from_file(path, geometry="block", spawn_distance=2).spawn_distance == 2
        assert task_from_file(room(tmp_path, "P    G"), geometry="block").spawn_distance == 5


def test_no_agent_starts_on_a_goal_that_is_drawn(tmp_path):
    with pytest.warns(Note, match="agents start 1 or more away"):
        task = task_from_file(room(tmp_path, "*****\n*   *\n* P *\n*   *\n*****\n"), geometry="block")
    assert task.spawn_distance == 1
    assert (2, 2) not in goal_cells(task.mazes[0])
    assert len(goal_cells(task.mazes[0])) == 8


def test_the_distance_is_that_of_the_goal_with_the_nearest_farthest_spawn(tmp_path):
    """Against every pair of a goal and a spawn."""
    text = "*******\n*P  P *\n*G   G*\n*******\n"
    with pytest.warns(Note, match="too small"):
        task = task_from_file(room(tmp_path, text), geometry="block")
    maze = task.mazes[0]
    assert task.spawn_distance == min(max(int(distances(maze, goal)[spawn]) for spawn in maze.spawns) for goal in maze.goals) == 4


def test_cells_that_nobody_reaches_are_still_refused_by_the_worlds(tmp_path):
    task = task_from_file(room(tmp_path, "*****\n*P*G*\n*****\n"), geometry="block")
    with pytest.raises(InputError, match="cannot be reached"):
        make_batch(task, 1)


def test_floor_that_nobody_can_reach_becomes_wall_where_nothing_lies_on_it(tmp_path):
    with pytest.warns(Note, match="floor that nobody can reach is wall .2 cells"):
        task = task_from_file(room(tmp_path, "*********\n*P    G* \n********* "), geometry="block")
    assert write_maze(task.mazes[0]) == "**********\n*P    G***\n**********\n"
    with pytest.warns(Note, match="is wall .1 cells"):
        task = task_from_file(room(tmp_path, " *            \n"), geometry="block")
    assert task.mazes[0].open.tolist() == [[False, False, *[True] * 12]]
