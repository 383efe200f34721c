"""One run of a grid: started, resumed, evaluated and read back; and the baselines that give each task its scale."""

import sys
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any

from agents.checkpoint import CHECKPOINT, load_checkpoint
from agents.checkpoint_saver import DivergedError
from env.task import Task
from experiments.analysis.evaluation import evaluate, evaluate_baseline
from experiments.analysis.metrics import Result
from experiments.analysis.playback import Playback, Progress, silent
from experiments.benchmarks.measurement import machine
from experiments.options import write_json
from experiments.policies import SCALE
from experiments.reproduction.grid import Conditions, Run, present_conditions
from experiments.train import train
from experiments.train_options import TrainOptions
from maze_gen.config_io import parse_json, to_json
from maze_gen.console import say
from maze_gen.errors import InputError

EVALUATION = "evaluation.json"
BASELINE_FILE = "baselines.json"
EVALUATION_SEED = 0


@dataclass(frozen=True)
class FinishedRun:
    """A run that was trained and evaluated.

    Attributes:
        folder: of the run, which holds its learning curve.
        frames, seconds: length of the training.
        machine: on which it was trained and evaluated.
        results: on the training mazes and, where the grid has them, on held-out mazes.
        diverged: whether the training ended before its budget, with numbers that aren't finite; all else is of its last finite
            checkpoint.
    """

    run: Run
    folder: Path
    frames: int
    seconds: float
    machine: str
    results: list[Result]
    diverged: bool = False


class Ending(Enum):
    """How a training's session ended."""

    INTERRUPTED = auto()
    SPENT = auto()
    DIVERGED = auto()


def train_run(run: Run, folder: Path, task: Task, conditions: Conditions, serial: bool) -> Ending:
    """Trains until the budget is spent, or resumes an earlier session.

    A training that diverges is over, and said to be: a grid of many settings goes on.

    Raises:
        InputError: as `train`; the folder holds a run of other settings.
        WorkerError: a worker's process died.
    """
    options = TrainOptions(
        preset=conditions.preset,
        total_minutes=conditions.budget.minutes,
        frames=conditions.budget.frames,
        workers=conditions.workers,
        device=conditions.device,
        serial=serial,
        settings=conditions.settings_of(run.seed),
    )
    path = folder / CHECKPOINT
    if not path.exists():
        begin = replace(options, agent=run.agent, seed=run.seed, run_dir=folder, backend=conditions.backend)
        return _trained(begin, task)
    earlier = load_checkpoint(path)
    if earlier.config != options.settings or earlier.task != task:
        raise InputError(f"{path} was trained with other settings or mazes: give another --out, or the same settings")
    if conditions.budget.spent(earlier.frames, earlier.seconds):
        return Ending.SPENT
    return _trained(replace(options, resume=folder))


def _trained(options: TrainOptions, task: Task | None = None) -> Ending:
    try:
        return Ending.INTERRUPTED if train(options, task).interrupted else Ending.SPENT
    except DivergedError as error:
        say(f"diverged: {error}", file=sys.stderr)
        return Ending.DIVERGED


def _playback(task: Task, conditions: Conditions, progress: Progress) -> Playback:
    return Playback(task, conditions.episodes, EVALUATION_SEED, conditions.backend, progress=progress)


def evaluate_run(
    run: Run, folder: Path, tasks: list[Task], conditions: Conditions, progress: Progress = silent, *, diverged: bool = False
) -> FinishedRun:
    """Plays whole episodes with the trained agent, and writes the figures into the run's folder."""
    checkpoint = load_checkpoint(folder)
    found = evaluate(checkpoint, _playback(tasks[0], conditions, progress), tasks, baselines=False)
    length = checkpoint.frames, checkpoint.seconds
    finished = FinishedRun(run, folder, *length, _machine(conditions.device), found.results, diverged)
    write_json(
        folder / EVALUATION,
        {
            "task": run.label,
            "agent": run.agent,
            "seed": run.seed,
            "frames": finished.frames,
            "seconds": finished.seconds,
            "machine": finished.machine,
            "diverged": finished.diverged,
            "conditions": conditions.as_json(),
            "settings": to_json(conditions.settings_of(run.seed)),
            "results": [result.as_json() for result in found.results],
        },
    )
    return finished


def _machine(device: str) -> str:
    here = machine()
    processor = f"{here['processor']}, {here['usable_cores']} cores"
    return f"{here['gpu']}; {processor}" if device == "cuda" else processor


def read_finished(run: Run, folder: Path, conditions: dict[str, Any]) -> FinishedRun | None:
    """Reads the output of `evaluate_run`; None where there is none.

    Args:
        conditions: of the grid, as JSON.

    Raises:
        InputError: the file can't be read, or the run was trained under other conditions.
    """
    path = folder / EVALUATION
    if not path.exists():
        return None
    content = _load(path)
    try:
        results = [Result.from_json(form) for form in content["results"]]
        length = content["frames"], content["seconds"]
        done = FinishedRun(run, folder, *length, content["machine"], results, content.get("diverged", False))
        same = present_conditions(content["conditions"], str(path)) == conditions
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not an evaluation of a grid's run ({error})") from error
    if not same:
        raise InputError(f"{path} is of a training under other conditions than the grid's: give another --out")
    return done


def measure_baselines(
    folder: Path, tasks: list[Task], conditions: Conditions, progress: Progress = silent
) -> dict[str, list[Result]]:
    """Results of the random policy and the oracle on a task, played once and kept in the task's folder."""
    path = folder / BASELINE_FILE
    if path.exists():
        return read_baselines(folder)
    found = {name: [evaluate_baseline(name, _playback(task, conditions, progress)) for task in tasks] for name in SCALE}
    write_json(path, {name: [result.as_json() for result in results] for name, results in found.items()})
    return found


def read_baselines(folder: Path) -> dict[str, list[Result]]:
    """Reads the output of `measure_baselines`.

    Raises:
        InputError: the file can't be read.
    """
    path = folder / BASELINE_FILE
    content = _load(path)
    try:
        return {name: [Result.from_json(form) for form in content[name]] for name in SCALE}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not the results of {' and '.join(SCALE)} ({error})") from error


def _load(path: Path) -> Any:
    try:
        return parse_json(path.read_text(encoding="utf-8"), str(path))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
