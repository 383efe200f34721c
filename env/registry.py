"""Names of tasks. A new task is one row of `TASKS`; a task of one's own maze comes from `task_from_file`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from env.task import Task
from maze_gen.catalogue import catalogue_maze
from maze_gen.errors import InputError
from maze_gen.generate import GeneratorConfig
from maze_gen.maze import Geometry, Maze
from maze_gen.splits import mazes_of_split
from maze_gen.text import as_block, load_maze

Split = Literal["fixed", "train", "heldout"]

TRAINING_MAZES = 1000
"""Mazes in the pool of a procedural task, unless `make_task` is asked for another number."""
HELDOUT_MAZES = 100
OBSERVATION_SIZES = (84, 42)


@dataclass(frozen=True)
class TaskRow:
    """What a name stands for: its layout, or the size of the mazes it draws, and the rules (paper.md, section 1).

    Attributes:
        rows, cols: size of the mazes that stand in for a fixed layout when it is evaluated on held-out mazes, and of every
            maze of a procedural task.
        layout: name of the layout in the catalogue; None draws mazes from the generator.
    """

    rows: int
    cols: int
    episode_seconds: int
    goal: Literal["fixed", "episode"]
    fruit: Literal["fixed", "episode"]
    layout: str | None


TASKS: dict[str, TaskRow] = {
    "static-small": TaskRow(5, 10, 60, "fixed", "fixed", "static-small"),
    "static-large": TaskRow(9, 15, 150, "fixed", "fixed", "static-large"),
    "static-huge": TaskRow(13, 20, 300, "fixed", "fixed", "static-huge"),
    "random-goal-small": TaskRow(5, 10, 60, "episode", "episode", "random-goal-small"),
    "random-goal-large": TaskRow(9, 15, 150, "episode", "episode", "random-goal-large"),
    "random-goal-huge": TaskRow(13, 20, 300, "episode", "episode", "random-goal-huge"),
    "i-maze": TaskRow(13, 13, 60, "episode", "fixed", "i-maze"),
    "procedural-small": TaskRow(5, 10, 60, "episode", "episode", None),
    "procedural-large": TaskRow(9, 15, 150, "episode", "episode", None),
}
