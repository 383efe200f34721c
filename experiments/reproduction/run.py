"""One training of a grid: begun, gone on with, evaluated, and read back; and the two players that give each task its scale."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agents.checkpoint import CHECKPOINT, load_checkpoint
from env.task import Task
from experiments.analysis.metrics import Result
from experiments.benchmarks.measurement import machine
from experiments.evaluate import evaluate, evaluate_player
from experiments.options import write_json
from experiments.policies import BASELINES
from experiments.reproduction.grid import Cell, Conditions
from experiments.train import train
from experiments.train_options import TrainOptions
from maze_gen.errors import InputError

EVALUATION = "evaluation.json"
BASELINE_FILE = "baselines.json"
EVALUATION_SEED = 0


@dataclass(frozen=True)
class Finished:
    """A training that was evaluated.

    Attributes:
        folder: of the run, where its curve lies.
        frames, seconds: how long it trained.
        machine: what it was trained and evaluated on.
        results: on the mazes it trained on and, where the grid has them, on held-out ones.
    """

    cell: Cell
    folder: Path
    frames: int
    seconds: float
    machine: str
    results: list[Result]


def train_cell(cell: Cell, folder: Path, task: Task, conditions: Conditions, serial: bool) -> bool:
    """Trains until the budget is spent, or goes on with what an earlier session left; False where it was interrupted.

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
        settings=conditions.settings,
    )
    path = folder / CHECKPOINT
    if not path.exists():
        begin = replace(options, agent=cell.agent, seed=cell.seed, run_dir=folder, backend=conditions.backend)
        return not train(begin, task).interrupted
    earlier = load_checkpoint(path)
    if earlier.config != conditions.settings or earlier.task != task:
        raise InputError(f"{path} was trained with other settings or mazes: give another --out, or the same settings")
    if conditions.budget.spent(earlier.frames, earlier.seconds):
        return True
    return not train(replace(options, resume=folder)).interrupted


def evaluate_cell(
    cell: Cell, folder: Path, tasks: list[Task], conditions: Conditions, progress: Callable[[str], None] | None = None
) -> Finished:
    """Plays whole episodes with the agent of a training that is over, and writes what came of it."""
    checkpoint = load_checkpoint(folder)
    found = evaluate(
        checkpoint,
        tasks,
        conditions.episodes,
        EVALUATION_SEED,
        backend=conditions.backend,
        progress=progress,
        with_baselines=False,
    )
    finished = Finished(
        cell,
        folder,
        checkpoint.frames,
        checkpoint.seconds,
        _machine(conditions.device),
        found.results,
    )
    write_json(
        folder / EVALUATION,
        {
            "task": cell.label,
            "agent": cell.agent,
            "seed": cell.seed,
            "frames": finished.frames,
            "seconds": finished.seconds,
            "machine": finished.machine,
            "conditions": conditions.as_json(),
            "results": [result.as_json() for result in found.results],
        },
    )
    return finished


def _machine(device: str) -> str:
    here = machine()
    processor = f"{here['processor']}, {here['usable_cores']} cores"
    return f"{here['gpu']}; {processor}" if device == "cuda" else processor


def read_finished(cell: Cell, folder: Path, conditions: dict[str, Any]) -> Finished | None:
    """What `evaluate_cell` wrote; None where it hasn't.

    Args:
        conditions: of the grid, as JSON.

    Raises:
        InputError: the file can't be read, or is of a training under other conditions.
    """
    path = folder / EVALUATION
    if not path.exists():
        return None
    content = _load(path)
    try:
        results = [Result.from_json(form) for form in content["results"]]
        done = Finished(cell, folder, content["frames"], content["seconds"], content["machine"], results)
        same = content["conditions"] == conditions
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not an evaluation of a grid's training ({error})") from error
    if not same:
        raise InputError(f"{path} is of a training under other conditions than the grid's: give another --out")
    return done


def measure_baselines(
    folder: Path, tasks: list[Task], conditions: Conditions, progress: Callable[[str], None] | None = None
) -> dict[str, list[Result]]:
    """The random policy's and the oracle's results on a task's mazes, played once and kept in the task's folder."""
    path = folder / BASELINE_FILE
    if path.exists():
        return read_baselines(folder)

    def play(task: Task, who: str) -> Result:
        def tell(text: str) -> None:
            if progress:
                progress(f"{who} on {task.name}, {task.split} mazes: {text}")

        return evaluate_player(
            task, BASELINES[who], conditions.episodes, EVALUATION_SEED, backend=conditions.backend, progress=tell
        )

    found = {who: [play(task, who) for task in tasks] for who in BASELINES}
    write_json(path, {who: [result.as_json() for result in results] for who, results in found.items()})
    return found


def read_baselines(folder: Path) -> dict[str, list[Result]]:
    """What `measure_baselines` kept.

    Raises:
        InputError: the file can't be read.
    """
    path = folder / BASELINE_FILE
    content = _load(path)
    try:
        return {who: [Result.from_json(form) for form in content[who]] for who in BASELINES}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not the results of {' and '.join(BASELINES)} ({error})") from error


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
