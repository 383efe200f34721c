"""DeepMind Lab's released navigation levels as tasks, named `lab:LEVEL`: their own maps, scripts and looks."""

from env.task import Task

PREFIX = "lab:"


def is_released(task: Task) -> bool:
    """Whether a task is a released level."""
    return task.name.startswith(PREFIX)


def level_of(task: Task) -> str:
    """The level's name for DeepMind Lab."""
    return task.name.removeprefix(PREFIX)
