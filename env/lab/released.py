"""DeepMind Lab's released navigation levels as tasks, named `lab:LEVEL`: their own maps, scripts and looks."""

from pathlib import Path

from env.lab.process import Episode
from env.task import Task

PREFIX = "lab:"


def is_released(task: Task) -> bool:
    """Whether a task is a released level."""
    return task.name.startswith(PREFIX)


def level_of(task: Task) -> str:
    """The level's name for DeepMind Lab."""
    return task.name.removeprefix(PREFIX)


def released_order(task: Task, seed: int, size: int, cache: Path) -> Episode:
    """What a simulator is told for an episode of a released level, with pictures of size x size."""
    settings = {"width": str(size), "height": str(size), "minimalUI": "true"}
    return Episode(level_of(task), False, settings, seed, size, str(cache))
