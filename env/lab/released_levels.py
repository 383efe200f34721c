"""DeepMind Lab's released navigation levels as tasks, named `lab:LEVEL`, with their own maps, scripts and textures.

This project contains no part of them but their layouts, tasks of their own without DeepMind Lab: `lab-static-01`, …. Here
the layout of a level, which position decoders and maps need, is measured once inside the level (`survey.lua`), and stored in
the user's cache folder.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from env.lab.simulator import Episode, Simulator, SimulatorError, cache_folder, require_lab
from env.navigation import APPLE, GOAL
from env.registry import LAB_SIZES
from env.task import Task
from maze_gen.errors import InputError
from maze_gen.files import write_whole
from maze_gen.maze import Maze
from maze_gen.text import load_maze

PREFIX = "lab:"
OBSERVATIONS = ("DEBUG.POS.TRANS", "DEBUG.POS.ROT", "VEL.TRANS")
"""Of every released level; velocity is in the agent's frame."""
WATCH = Path(__file__).with_name("watch.lua")
SURVEY = Path(__file__).with_name("survey.lua")


@dataclass(frozen=True)
class ReleasedLevel:
    """A level's size in cells, its episode time, and whether episodes draw the goal (paper, section 5)."""

    rows: int
    cols: int
    episode_seconds: int
    goal: Literal["fixed", "episode"]


RELEASED: dict[str, ReleasedLevel] = {
    **{f"nav_maze_static_{number}": ReleasedLevel(*size, goal="fixed") for number, *size in LAB_SIZES},
    **{f"nav_maze_random_goal_{number}": ReleasedLevel(*size, goal="episode") for number, *size in LAB_SIZES},
}


def is_released(task: Task) -> bool:
    """Whether a task is a released level itself, and not generated mazes with its rules."""
    return task.name.startswith(PREFIX) and task.split == "fixed"


def released_task(name: str, observation_size: int = 84) -> Task:
    """The task of a released level.

    Args:
        name: `lab:` and one of `RELEASED`.
        observation_size: height and width of the picture, 84 or 42.

    Raises:
        InputError: an unknown level, or DeepMind Lab is not installed or lacks the level.
    """
    level = name.removeprefix(PREFIX)
    if not name.startswith(PREFIX) or level not in RELEASED:
        raise InputError(f"task {name!r}: expected one of {', '.join(PREFIX + known for known in RELEASED)}")
    known = RELEASED[level]
    maze = load_maze(_layout(level, known, cache_folder()))
    return Task(
        name=name,
        mazes=(maze,),
        episode_seconds=known.episode_seconds,
        goal=known.goal,
        fruit=known.goal,
        observation_size=observation_size,
    )


def released_episode(task: Task, seed: int, size: int, cache: Path) -> Episode:
    """An episode of a released level, with pictures of size x size."""
    level = task.name.removeprefix(PREFIX)
    settings = {"width": str(size), "height": str(size), "minimalUI": "true", "level": level}
    return Episode(str(WATCH), OBSERVATIONS, "items", settings, seed, size, str(cache))


def parse_items(listed: str, maze: Maze) -> list[tuple[int, int]]:
    """(kind, cell) of the items that `watch.lua` lists; cells are row * cols + col."""
    found = []
    for name, x, y in (entry.split() for entry in listed.split(";")[:-1]):
        row, col = maze.cell_at(float(x), float(y))
        found.append((GOAL if name == "goal" else APPLE, row * maze.cols + col))
    return found


def _layout(level: str, known: ReleasedLevel, cache: Path) -> Path:
    """The file with the layout of a level, which is measured where it is missing."""
    kept = cache / f"{level}.txt"
    if kept.is_file():
        return kept
    require_lab()
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "layout.txt"
        settings = {"mapName": level, "rows": str(known.rows), "cols": str(known.cols), "output": str(found)}
        simulator = Simulator(Episode(str(SURVEY), (), "", {"width": "84", "height": "84", **settings}, 1, 84, str(cache)))
        try:
            simulator.wait()
        except SimulatorError as error:
            raise InputError(f"task {PREFIX}{level}: DeepMind Lab cannot open its level: {error}") from error
        finally:
            simulator.close()
        text = found.read_text()
    if known.goal == "episode":
        text = text.translate(str.maketrans("AG", "  "))
    cache.mkdir(parents=True, exist_ok=True)
    write_whole(kept, text.encode())
    return kept
