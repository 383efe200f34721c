"""Names of tasks. A new task is one row of `TASKS`; a task of one's own maze comes from `task_from_file`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from env.task import OBSERVATION_SIZES, Task
from env.text_levels import with_room_to_start, without_pockets
from maze_gen.catalogue import catalogue_maze
from maze_gen.errors import InputError
from maze_gen.generator import GeneratorConfig
from maze_gen.maze import Geometry
from maze_gen.pools import pool_of_split
from maze_gen.text import load_maze

Split = Literal["fixed", "train", "heldout"]

TRAINING_MAZES = 1000
"""Mazes in the pool of a procedural task, unless `make_task` is asked for another number."""
HELDOUT_MAZES = 100
MOST_MAZES = 100_000
"""Of a generated pool: a thousand of them take some seconds."""


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


LAB_SIZES = (("01", 5, 10, 60), ("02", 9, 15, 150), ("03", 13, 20, 300))
"""Number, rows, columns and seconds of an episode of DeepMind Lab's static and random-goal levels."""
LAB_KINDS: tuple[tuple[str, Literal["fixed", "episode"]], ...] = (("static", "fixed"), ("random-goal", "episode"))
"""Kinds of these levels, and how their goal and fruit are placed."""

TASKS: dict[str, TaskRow] = {
    "static-small": TaskRow(5, 10, 60, "fixed", "fixed", "static-small"),
    "static-large": TaskRow(9, 15, 150, "fixed", "fixed", "static-large"),
    "static-huge": TaskRow(13, 20, 300, "fixed", "fixed", "static-huge"),
    "random-goal-small": TaskRow(5, 10, 60, "episode", "episode", "random-goal-small"),
    "random-goal-large": TaskRow(9, 15, 150, "episode", "episode", "random-goal-large"),
    "random-goal-huge": TaskRow(13, 20, 300, "episode", "episode", "random-goal-huge"),
    "i-maze": TaskRow(13, 11, 60, "episode", "fixed", "i-maze"),
    "procedural-small": TaskRow(5, 10, 60, "episode", "episode", None),
    "procedural-large": TaskRow(9, 15, 150, "episode", "episode", None),
    **{
        f"lab-{kind}-{number}": TaskRow(rows, cols, seconds, drawn, drawn, f"lab-{kind}-{number}")
        for kind, drawn in LAB_KINDS
        for number, rows, cols, seconds in LAB_SIZES
    },
}

TASK_NAMES = tuple(TASKS)


def make_task(
    name: str,
    *,
    split: Split | None = None,
    mazes: int | None = None,
    observation_size: int = 84,
) -> Task:
    """The task of a name.

    Args:
        name: one of `TASK_NAMES`, or `lab:` and a level that DeepMind Lab brings (`env.lab.released_levels`).
        split: `fixed` for the layout of a task that has one, `train` or `heldout` for generated mazes. Without it a task of one
            layout is `fixed`, a procedural one `train`. `heldout` mazes of a task of one layout are as large as it and are
            played by its rules.
        mazes: how many a generated pool holds.
        observation_size: height and width of the picture, 84 or 42.

    Raises:
        InputError: an unknown name, a split that the task hasn't, a number of mazes out of range, or another size.
    """
    if name not in TASKS and not name.startswith("lab:"):
        raise InputError(f"task {name!r}: expected one of {', '.join(TASK_NAMES)}, or lab: and a level of DeepMind Lab")
    if observation_size not in OBSERVATION_SIZES:
        raise InputError(f"observation size {observation_size}: expected one of {', '.join(map(str, OBSERVATION_SIZES))}")
    if mazes is not None and (isinstance(mazes, bool) or not isinstance(mazes, int) or not 1 <= mazes <= MOST_MAZES):
        raise InputError(f"mazes {mazes!r}: expected a whole number from 1 to {MOST_MAZES}")
    if name.startswith("lab:"):
        # Imported where it is used: it asks DeepMind Lab for the layout.
        from env.lab.released_levels import released_task

        released = released_task(name, observation_size)
        return released if split in (None, "fixed") else generated_counterpart(released, split, mazes or HELDOUT_MAZES)
    row = TASKS[name]
    own: Split = "fixed" if row.layout else "train"
    splits = ("fixed", "train", "heldout") if row.layout else ("train", "heldout")
    if split is not None and split not in splits:
        raise InputError(f"split {split!r} of task {name}: expected one of {', '.join(splits)}")
    chosen = split or own
    count = (HELDOUT_MAZES if chosen == "heldout" else TRAINING_MAZES) if mazes is None else mazes
    if row.layout:
        pool, pool_split = (catalogue_maze(row.layout),), "fixed"
    else:
        assert chosen != "fixed"
        pool, pool_split = pool_of_split(GeneratorConfig(row.rows, row.cols), chosen, count), chosen
    task = Task(
        name=name,
        mazes=pool,
        episode_seconds=row.episode_seconds,
        split=pool_split,
        goal=row.goal,
        fruit=row.fruit,
        observation_size=observation_size,
    )
    return generated_counterpart(task, chosen, count) if row.layout and chosen != "fixed" else task


def generated_counterpart(task: Task, split: Literal["train", "heldout"] = "heldout", mazes: int = HELDOUT_MAZES) -> Task:
    """The same rules in generated mazes of a split, as large as the task's, with as much fruit, and a goal where it is fixed.

    Raises:
        InputError: the size is too small for so many mazes to differ, or none that the generator makes.
    """
    model = task.mazes[0]
    fruit = len(model.apples) + len(model.strawberries) if task.fruit == "fixed" else 0
    block = model.geometry == "block"
    if block and not (model.rows % 2 and model.cols % 2):
        raise InputError(f"task {task.name}: the generator makes no block mazes of {model.rows}x{model.cols} cells")
    config = GeneratorConfig(
        rows=model.rows // 2 if block else model.rows,
        cols=model.cols // 2 if block else model.cols,
        geometry=model.geometry,
        apples=fruit,
        strawberry_share=len(model.strawberries) / fruit if fruit else 0.0,
        goals=1 if task.goal == "fixed" else 0,
    )
    return replace(task, mazes=pool_of_split(config, split, mazes), split=split)


def task_from_file(
    path: Path | str,
    *,
    geometry: Geometry = "thin",
    goal: Literal["fixed", "episode"] | None = None,
    observation_size: int = 84,
    spawn_distance: int | None = None,
) -> Task:
    """A task in the maze of a text file, with the rules of the paper's task that is nearest in size.

    Args:
        goal: `fixed` on the maze's goal, or `episode` to draw goal and fruit once an episode. Without it: `fixed` where the maze
            has one goal, drawn among them where it has several, and among all open cells where it has none, as DeepMind Lab's
            random-goal layouts.
        spawn_distance: least cells of path between a spawn and the goal. Without it as far as in the paper's tasks, or, where the
            maze is too small for that, as far as it allows; a `Note` says so.

    Raises:
        InputError: the file can't be read, or has no goal and `goal` is `fixed`.
    """
    maze = without_pockets(load_maze(path, geometry), str(path))
    if not maze.goals and goal == "fixed":
        raise InputError(f"{path}: the maze has no goal; mark its cell with G")
    cells = int(maze.open.sum())
    seconds = next((seconds for most, seconds in ((77, 60), (135, 150)) if cells <= most), 300)
    rule = goal or ("fixed" if len(maze.goals) == 1 else "episode")
    if spawn_distance is None:
        maze, spawn_distance = with_room_to_start(maze, rule, str(path))
    return Task(
        name=Path(path).stem,
        mazes=(maze,),
        episode_seconds=seconds,
        goal=rule,
        fruit="fixed" if maze.apples or maze.strawberries or rule == "fixed" else "episode",
        observation_size=observation_size,
        spawn_distance=spawn_distance,
    )
