"""A grid of trainings: its tasks, agents and seeds, its conditions, and the folder of each run."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agents.checkpoint_formats import FORMATS, HISTORY, upgraded
from agents.config import TrainConfig
from env.registry import MOST_MAZES, TASKS, generated_counterpart, make_task, task_from_file
from env.task import Task
from env.task_io import digest_of
from experiments.options import write_json
from experiments.reproduction.paper import paper_task
from experiments.reproduction.sampling import sampled
from maze_gen.config_io import from_json, parse_json, read_as, to_json
from maze_gen.errors import InputError
from maze_gen.maze import Geometry

UNLIMITED = "unlimited"
UNLIMITED_MAZES = 10_000
"""Mazes that `unlimited` draws from. A training of 1e7 frames has 2,778 episodes of 60 s: one in eight repeats a maze."""

GRID = "grid.json"

_TIME = {"s": 1 / 60, "m": 1.0, "h": 60.0}
_FRAMES = {"": 1.0, "k": 1e3, "M": 1e6}


@dataclass(frozen=True)
class Budget:
    """How long each training lasts: minutes, or environment frames of 1/60 s; exactly one of them is given."""

    minutes: float | None = None
    frames: int | None = None

    def spent(self, frames: int, seconds: float) -> bool:
        """Whether a training of so many frames and seconds has used up the budget."""
        if self.frames is not None:
            return frames >= self.frames
        assert self.minutes is not None
        return seconds >= 60 * self.minutes

    def __str__(self) -> str:
        if self.frames is not None:
            return f"{self.frames:,} frames"
        assert self.minutes is not None
        return f"{self.minutes:g} minutes" if self.minutes >= 1 else f"{60 * self.minutes:g} seconds"


def parse_budget(text: str) -> Budget:
    """`90s`, `30m`, `2h` (time), `500k`, `10M`, `1e7` or `10000000` (frames).

    Raises:
        InputError: anything else, or nothing at all.
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?(?:[eE]\+?\d+)?)([smhkM]?)", text.strip())
    amount = float(found[1]) if found else 0.0
    if not found or not 0 < amount < 1e15:
        raise InputError(
            f"--budget {text}: expected minutes, hours or seconds (30m, 2h, 90s), or frames (10M, 500k, 1e7); "
            "m is minutes, M is million frames"
        )
    unit = found[2]
    return Budget(minutes=amount * _TIME[unit]) if unit in _TIME else Budget(frames=max(1, round(amount * _FRAMES[unit])))


@dataclass(frozen=True)
class Conditions:
    """What all trainings and evaluations of a grid have in common, so that its rows can be compared.

    Attributes:
        episodes: of every evaluation, on each kind of maze.
        heldout: whether agents of one fixed layout are evaluated on held-out mazes too.
        device: of the trainings; evaluations run on the CPU.
        sampled: whether each training has settings of its own, drawn for its seed (`experiments.reproduction.sampling`).
        best: of how many of an agent's trainings the best mean is reported, beside the mean of all; 0 for none.
    """

    budget: Budget
    preset: str
    settings: TrainConfig
    workers: int
    episodes: int
    heldout: bool
    backend: Literal["embedded", "lab"] = "embedded"
    device: Literal["cpu", "cuda"] = "cpu"
    sampled: bool = False
    best: int = 0

    def settings_of(self, seed: int) -> TrainConfig:
        """The settings of the trainings with a seed."""
        return sampled(self.settings, seed) if self.sampled else self.settings

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, as `grid.json` and `evaluation.json` have it."""
        return to_json(self)


def present_conditions(conditions: dict[str, Any], origin: str) -> dict[str, Any]:
    """Conditions as JSON of this or an earlier version, in the form of this version.

    Args:
        origin: the file that they were read from.

    Raises:
        InputError: the settings are none of a known version.
    """
    settings = conditions["settings"]
    if "loss_weight" not in settings:
        settings = upgraded({"format": FORMATS[0], "config": settings}, origin)["config"]
    read = from_json(TrainConfig, settings, f"{origin}: settings", HISTORY[TrainConfig])
    return {"backend": "embedded", "device": "cpu", "sampled": False, "best": 0, **conditions, "settings": to_json(read)}


@dataclass(frozen=True)
class GridTask:
    """A task of the grid.

    Attributes:
        label: name of its folder: the name of the task or of the maze file, with the number of training mazes where it varies.
        task: with its mazes.
        pool: number of training mazes, or `unlimited`, where the grid varies it; None where it doesn't.
    """

    label: str
    task: Task
    pool: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "task": self.task.name,
            "mazes": len(self.task.mazes),
            "pool": self.pool,
            "split": self.task.split,
            "paper_task": paper_task(self.task.name),
            "digest": digest_of(self.task),
        }

    def evaluated(self, heldout: bool) -> list[Task]:
        """The task itself and, where its mazes are generated or `heldout` is True, the same task with held-out mazes."""
        if self.task.split == "fixed" and not heldout:
            return [self.task]
        return [self.task, generated_counterpart(self.task)]


@dataclass(frozen=True)
class Run:
    """One training of the grid."""

    label: str
    agent: str
    seed: int

    def folder(self, out: Path) -> Path:
        return out / self.label / self.agent / f"seed{self.seed}"

    def __str__(self) -> str:
        return f"{self.label}, {self.agent}, seed {self.seed}"


def tasks_of(
    names: tuple[str, ...], files: tuple[Path, ...], geometry: Geometry, pools: tuple[str, ...], observation_size: int
) -> list[GridTask]:
    """The grid's tasks: named ones, each once for every number of training mazes where such are given, and maze files.

    Raises:
        InputError: an unknown task, a maze file that can't be read, a number of mazes for a task of one layout, or the same
            name twice.
    """
    made: list[GridTask] = []
    for name in names:
        if not pools:
            made.append(GridTask(name, make_task(name, observation_size=observation_size)))
            continue
        if (name in TASKS and TASKS[name].layout is not None) or name.startswith("lab:"):
            raise InputError(
                f"--mazes {' '.join(pools)}: {name} has one layout; give tasks with generated mazes, as procedural-small"
            )
        for pool in pools:
            task = make_task(name, mazes=_mazes(pool), observation_size=observation_size)
            made.append(GridTask(f"{name}-mazes-{pool}", task, pool))
    if pools and not names:
        raise InputError(f"--mazes {' '.join(pools)}: give the tasks whose mazes are generated, as --tasks procedural-small")
    made += [GridTask(path.stem, task_from_file(path, geometry=geometry, observation_size=observation_size)) for path in files]
    labels = [task.label for task in made]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(f"task {label} is given twice: every task and maze file needs a name of its own")
    return made


def _mazes(pool: str) -> int:
    if pool == UNLIMITED:
        return UNLIMITED_MAZES
    if not re.fullmatch(r"[1-9][0-9]{0,8}", pool) or int(pool) > MOST_MAZES:
        raise InputError(f"--mazes {pool[:60]}: expected a number of training mazes, 1 to {MOST_MAZES}, or {UNLIMITED}")
    return int(pool)


@dataclass
class Grid:
    """The contents of a folder: the conditions of its trainings, and every training that was requested under them.

    Attributes:
        out: the folder.
        conditions: as JSON.
        tasks: label → `GridTask.as_json`, in the order in which they were requested.
        runs: in that order, too.
        commands: the command lines that requested them.
    """

    out: Path
    conditions: dict[str, Any]
    tasks: dict[str, dict[str, Any]]
    runs: list[Run]
    commands: list[str]

    def save(self) -> None:
        write_json(
            self.out / GRID,
            {
                "conditions": self.conditions,
                "tasks": self.tasks,
                "runs": [[run.label, run.agent, run.seed] for run in self.runs],
                "commands": self.commands,
            },
        )

    @property
    def agents(self) -> list[str]:
        """In the order in which they were requested."""
        return list(dict.fromkeys(run.agent for run in self.runs))


def open_grid(out: Path, conditions: Conditions, tasks: list[GridTask], runs: list[Run], command: str) -> Grid:
    """The grid of a folder, a new one or the existing one, with these tasks and runs added to it.

    Raises:
        InputError: the folder's grid was begun under other conditions, or with another maze of that name; it can't be read or
            written.
    """
    path = out / GRID
    wanted = conditions.as_json()
    if path.exists():
        grid = _read(path)
        differing = _differences(grid.conditions, wanted)
        if differing:
            raise InputError(f"{out} holds a grid with {'; '.join(differing)}: give another --out, or the same settings")
    else:
        grid = Grid(out, wanted, {}, [], [])
    for task in tasks:
        row = task.as_json()
        known = grid.tasks.setdefault(task.label, row)
        if known["digest"] != row["digest"]:
            raise InputError(f"{out} holds a grid whose {task.label} has other mazes: give another --out, or the same mazes")
    grid.runs += [run for run in runs if run not in grid.runs]
    if command not in grid.commands:
        grid.commands.append(command)
    grid.save()
    return grid


def _read(path: Path) -> Grid:
    try:
        content = parse_json(path.read_text(encoding="utf-8"), str(path))
        # Earlier versions called the runs cells.
        runs = [Run(str(label), str(agent), int(seed)) for label, agent, seed in content.get("runs") or content["cells"]]
        conditions = present_conditions(content["conditions"], str(path))
        tasks = {str(label): _row(row) for label, row in content["tasks"].items()}
        return Grid(path.parent, conditions, tasks, runs, list(map(str, content["commands"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not the description of a grid ({error})") from error


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """What `GridTask.as_json` made, read by its types."""
    kinds = {"label": str, "task": str, "mazes": int, "pool": str | None, "split": str, "paper_task": str | None, "digest": str}
    optional = {"split", "digest"} - set(row)
    return {name: "" if name in optional else read_as(kind, row[name], name) for name, kind in kinds.items()}


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    found = []
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new)
        elif old != new:
            found.append(f"{name.replace('_', ' ')} {old}, not {new}")
    return found
