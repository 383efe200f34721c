"""The tasks that a checkpoint is held against: the mazes it learned in, and mazes it has never seen, by the same rules."""

from dataclasses import replace

from env.task import Task
from maze_gen.errors import InputError
from maze_gen.generate import GeneratorConfig
from maze_gen.splits import mazes_of_split

HELDOUT_MAZES = 100
HELDOUT_SEED = 0


def heldout_counterpart(task: Task, mazes: int = HELDOUT_MAZES) -> Task:
    """The same rules in generated mazes of the held-out split, as large as the task's, with as much fruit, and as many goals.

    Raises:
        InputError: no such mazes exist: the size is too small.
    """
    model = task.mazes[0]
    block = model.geometry == "block"
    config = GeneratorConfig(
        rows=(model.rows - 1) // 2 if block else model.rows,
        cols=(model.cols - 1) // 2 if block else model.cols,
        geometry=model.geometry,
        apples=len(model.apples) + len(model.strawberries) if task.fruit == "fixed" else 0,
        strawberry_share=len(model.strawberries) / max(1, len(model.apples) + len(model.strawberries)),
        goals=1 if task.goal == "fixed" else 0,
    )
    drawn = mazes_of_split(config, "heldout", HELDOUT_SEED, mazes)
    if (drawn[0].rows, drawn[0].cols) != (model.rows, model.cols):
        raise InputError(f"task {task.name}: a block maze of {model.rows}x{model.cols} cells has no generated counterpart")
    return replace(task, mazes=drawn, split="heldout")
