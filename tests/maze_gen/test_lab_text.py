"""DeepMind Lab text levels: the two layers say what the maze is."""

import numpy as np
import pytest

from maze_gen.catalogue import CATALOGUE, catalogue_maze
from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig, generate
from maze_gen.lab_level import lab_text, save_lab_text
from maze_gen.maze import STEPS
from maze_gen.text import as_block, read_maze, write_maze


def openings(entities: str) -> set[tuple[int, int, int]]:
    """(line, column, side) where Lab's map maker leaves no wall: two neighbours that aren't `*`."""
    lines = entities.splitlines()
    return {
        (row, col, side)
        for row, line in enumerate(lines)
        for col, character in enumerate(line)
        for side, (step_row, step_col) in enumerate(STEPS)
        if character != "*" and lines[row + step_row][col + step_col] != "*"
    }


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_map_maker_gets_the_walls_of_the_block_maze(name):
    maze = catalogue_maze(name)
    block = as_block(maze)
    level = lab_text(maze)
    expected = {tuple(way) for way in np.argwhere(block.open[..., None] & ~block.walls).tolist()}
    assert openings(level.entities) == expected
    assert [len(line) for line in level.variations.splitlines()] == [len(line) for line in level.entities.splitlines()]


def test_things_keep_their_places_and_agents_start_where_they_may():
    thin = generate(GeneratorConfig(4, 5, apples=3, goals=1, strawberry_share=0.5), 2)
    entities = lab_text(thin).entities
    written = write_maze(thin)
    assert len(entities) == len(written)
    changed = [(before, after) for before, after in zip(written, entities, strict=True) if before != after]
    assert changed == [(" ", "P")] * (20 - 4)
    with_spawns = generate(GeneratorConfig(4, 5, spawns=2), 2)
    assert lab_text(with_spawns).entities == write_maze(with_spawns)


def test_a_variation_is_the_commonest_colour_of_a_cells_walls():
    maze = read_maze("*****\n*   *\n*****\n", "block")
    faces = maze.walls.astype(np.uint8)
    faces[1, 1] = [0, 3, 3, 2]
    faces[1, 2] = [0, 20, 0, 5]
    object.__setattr__(maze.decoration, "faces", faces)
    assert lab_text(maze).variations == ".....\n.BD..\n.....\n"


def test_both_layers_are_saved_beside_each_other(tmp_path):
    maze = catalogue_maze("i-maze")
    entities, variations = save_lab_text(maze, tmp_path / "i")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["i.entities.txt", "i.variations.txt"]
    assert (entities.read_text(), variations.read_text()) == (lab_text(maze).entities, lab_text(maze).variations)
    with pytest.raises(InputError, match="cannot write"):
        save_lab_text(maze, tmp_path / "no" / "i")
