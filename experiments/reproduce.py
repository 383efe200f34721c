"""Trains a grid of agents, evaluates each, and tabulates the results beside the paper's.

    python -m experiments.reproduce --budget 30m --agents lstm nav-d1d2l --tasks static-small --seeds 3
    python -m experiments.reproduce --budget 1e7 --agents nav-d1d2l --tasks procedural-small --mazes 1 10 100 1000 unlimited

A run's folder is OUT/TASK/AGENT/seedK; after each run `table.md`, `table.json` and `curves.png` in OUT are written again. The
same command resumes a grid that was stopped; with more agents, tasks or seeds it extends the grid.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from agents.cluster.settings import check_address
from agents.config import MOST_COUNT, TrainConfig, agent_config, check_range, preset
from env.task import Task
from experiments.options import ProgressLine, write_file, write_json
from experiments.run_folder import alone
from experiments.train_options import DEFAULT_AGENT, DEFAULT_TASK, train_arguments, workers_of
from maze_gen.cli import parse_options
from maze_gen.console import say
from maze_gen.errors import InputError, one_line_errors
from maze_gen.help_page import option_field
from maze_gen.maze import Geometry

if TYPE_CHECKING:
    from experiments.analysis.playback import Progress
    from experiments.reproduction.grid import Conditions, Grid, GridTask, Run
    from experiments.reproduction.run import FinishedRun
    from experiments.reproduction.summary import TaskSummary


@dataclass(frozen=True)
class ReproduceOptions:
    """Trains every agent on every task with every seed, one training after the other, and evaluates each.

    Attributes:
        budget: of each training: time (90s, 30m, 2h) or environment frames (500k, 10M, 1e7); m is minutes, M is million frames.
        agents: rows of the table of agents, in the order in which they are compared.
        tasks: names of the registry; static-small where neither these nor maze files are given.
        maze_file: text mazes, each made into a task that is named after its file.
        geometry: how maze files' walls are read: thin (on the edges between cells) or block (solid characters).
        mazes: numbers of training mazes, e.g. 1 10 100 1000 unlimited: each is a row of the grid, and generalisation.png shows
            returns on those mazes and on held-out ones. For tasks whose mazes are generated.
        seeds: trainings of each agent on each task, with the seeds 1, 2, ...
        sample_settings: instead of seeds: trainings of each agent on each task, each with a learning rate, entropy cost, length
            of rollouts and loss weights of its own, drawn from the paper's ranges; for the presets paper and paper-starred.
        best: of how many of an agent's trainings the best mean is shown, as the paper does (5 of 64), beside the mean of all; 0
            for none.
        out: the grid's folder.
        preset: the settings to start from, as for a training: fast, gpu, memory, paper or paper-starred.
        workers: of each training, as there.
        device: where agents are trained: cpu, or cuda for an NVIDIA GPU. Evaluations run on the CPU.
        episodes: whole episodes of each evaluation, on each kind of maze.
        heldout: whether agents of one fixed layout are evaluated on held-out mazes, too; those of generated mazes always are.
        backend: embedded (this project's engine) or lab (DeepMind Lab, where it is installed).
        serial: all workers in this process, one after the other, for debugging.
        cluster: the Ray cluster on whose nodes whole trainings run side by side: local, HOST:PORT of its head, or auto. Each is
            evaluated where it was trained, and takes as many processors as it has workers.
        at_once: on a cluster, trainings at the same time at most.
        settings: of the preset, one option each.
    """

    budget: str = "30m"
    agents: tuple[str, ...] = (DEFAULT_AGENT,)
    tasks: tuple[str, ...] = ()
    maze_file: tuple[Path, ...] = ()
    geometry: Geometry = "thin"
    mazes: tuple[str, ...] = ()
    seeds: int = 3
    sample_settings: int | None = option_field(None, shown="the preset's settings")
    best: int = 0
    out: Path = Path("runs/reproduce")
    preset: str = "fast"
    workers: int | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    episodes: int = 100
    heldout: bool = False
    backend: Literal["embedded", "lab"] = "embedded"
    serial: bool = False
    cluster: str | None = option_field(None, shown="no cluster")
    at_once: int | None = option_field(None, shown="as many as the cluster holds")
    settings: tyro.conf.OmitArgPrefixes[TrainConfig] = field(default_factory=TrainConfig)


class _StoppedError(Exception):
    """Ctrl-C was received during an evaluation."""


def reproduce(options: ReproduceOptions, command: str) -> bool:
    """Trains and evaluates the unfinished runs of the grid; False where Ctrl-C stopped it.

    Args:
        command: the command line, for the table.

    Raises:
        InputError: an option is invalid, or the folder holds a grid of other conditions.
        WorkerError: a worker's process died.
    """
    from env.backends import make_batch
    from experiments.reproduction.grid import open_grid
    from experiments.reproduction.run import read_finished
    from experiments.train import interruptible

    conditions, tasks, runs = _plan(options)
    # A maze that violates the rules is reported here, not after hours of other trainings.
    evaluated = {task.label: task.evaluated(conditions.heldout) for task in tasks}
    for task in chain(*evaluated.values()):
        make_batch(task, 1, backend=conditions.backend).close()
    with alone(options.out), interruptible() as interrupted:
        grid = open_grid(options.out, conditions, tasks, runs, command)
        left = [run for run in runs if read_finished(run, run.folder(grid.out), grid.conditions) is None]
        say(_outlook(conditions, len(runs), len(left), options.out))
        try:
            if options.cluster is not None and left:
                return _on_cluster(options, left, evaluated, grid, conditions, interrupted)
            for number, run in enumerate(left, len(runs) - len(left) + 1):
                say(f"training {number} of {len(runs)}: {run}")
                if not _work(run, evaluated[run.label], grid, conditions, options.serial, interrupted):
                    return False
                write_results(grid)
        except _StoppedError:
            return False
        if not left:
            write_results(grid)
    return True


def _outlook(conditions: Conditions, trainings: int, left: int, out: Path) -> str:
    done = f"{out}: {trainings} training{'' if trainings == 1 else 's'} of {conditions.budget}, {trainings - left} done"
    if conditions.budget.minutes is None or not left:
        return done
    minutes = left * conditions.budget.minutes
    to_go = f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
    return f"{done}; at most {to_go} of training left"


def _plan(options: ReproduceOptions) -> tuple[Conditions, list[GridTask], list[Run]]:
    """Checks the options. Seeds are the outermost loop, so that every row of the table has results early.

    Raises:
        InputError: an option is invalid.
    """
    from experiments.reproduction.grid import Conditions, Run, parse_budget, tasks_of

    budget = parse_budget(options.budget)
    check_range("--seeds", options.seeds, 1, MOST_COUNT, whole=True)
    trainings = options.seeds if options.sample_settings is None else options.sample_settings
    if options.sample_settings is not None:
        check_range("--sample-settings", trainings, 1, MOST_COUNT, whole=True)
        if not options.preset.startswith("paper"):
            wants = "give --preset paper or paper-starred, whose ranges they are drawn from"
            raise InputError(f"--sample-settings {trainings} with --preset {options.preset}: {wants}")
    check_range("--best", options.best, 0, trainings, whole=True)
    check_range("--episodes", options.episodes, 1, MOST_COUNT, whole=True)
    if options.geometry != "thin" and not options.maze_file:
        raise InputError(f"--geometry {options.geometry} is for --maze-file FILE: give one, or leave the option out")
    _check_cluster(options)
    preset(options.preset)
    if not options.agents:
        raise InputError("--agents: expected at least one")
    for agent in options.agents:
        agent_config(agent)
        if options.agents.count(agent) > 1:
            raise InputError(f"--agents {' '.join(options.agents)}: {agent} is given twice")
    conditions = Conditions(
        budget=budget,
        preset=options.preset,
        settings=options.settings,
        workers=workers_of(options.workers, options.device),
        episodes=options.episodes,
        heldout=options.heldout,
        backend=options.backend,
        device=options.device,
        sampled=options.sample_settings is not None,
        best=options.best,
    )
    names = options.tasks or (() if options.maze_file or options.mazes else (DEFAULT_TASK,))
    tasks = tasks_of(names, options.maze_file, options.geometry, options.mazes, options.settings.observation_size)
    runs = [Run(task.label, agent, seed) for seed in range(1, trainings + 1) for task in tasks for agent in options.agents]
    return conditions, tasks, runs


def _check_cluster(options: ReproduceOptions) -> None:
    """Raises InputError where the options of a cluster make no sense."""
    if options.at_once is not None:
        check_range("--at-once", options.at_once, 1, MOST_COUNT, whole=True)
        if options.cluster is None:
            raise InputError(f"--at-once {options.at_once} is for --cluster: give one, or leave the option out")
    if options.cluster is not None:
        check_address(options.cluster)
        if options.device != "cpu":
            raise InputError(f"--device {options.device} and --cluster {options.cluster} exclude each other: nodes train on CPUs")


def _work(run: Run, tasks: list[Task], grid: Grid, conditions: Conditions, serial: bool, interrupted: list[int]) -> bool:
    """Trains one run on the first of `tasks` and evaluates it on all; False where Ctrl-C was received."""
    from experiments.reproduction.run import Ending, evaluate_run, measure_baselines, train_run

    folder = run.folder(grid.out)
    if interrupted or (ending := train_run(run, folder, tasks[0], conditions, serial)) is Ending.INTERRUPTED:
        return False
    with ProgressLine() as line:
        progress = _stoppable(line, interrupted)
        measure_baselines(grid.out / run.label, tasks, conditions, progress)
        finished = evaluate_run(run, folder, tasks, conditions, progress, diverged=ending is Ending.DIVERGED)
    _print_result(finished)
    return not interrupted


def _on_cluster(
    options: ReproduceOptions,
    left: list[Run],
    evaluated: dict[str, list[Task]],
    grid: Grid,
    conditions: Conditions,
    interrupted: list[int],
) -> bool:
    """Trains and evaluates runs on the nodes of a cluster; False where Ctrl-C was received."""
    from experiments.cluster.training_actor import TrainingRequest
    from experiments.cluster.trainings import ClusterTrainings
    from experiments.reproduction.run import measure_baselines, read_finished

    assert options.cluster is not None
    wanted = [(TrainingRequest(run, evaluated[run.label], conditions, options.serial), run.folder(grid.out)) for run in left]
    processors = max(conditions.workers, len(os.sched_getaffinity(0)))
    with ClusterTrainings(options.cluster, processors, options.at_once) as trainings:
        say(f"training on cluster {options.cluster}")
        for number in trainings.run(wanted, lambda: bool(interrupted), say):
            request, folder = wanted[number]
            with ProgressLine() as line:
                progress = _stoppable(line, interrupted)
                measure_baselines(grid.out / request.run.label, request.tasks, conditions, progress)
            finished = read_finished(request.run, folder, grid.conditions)
            assert finished is not None, f"{folder}: its evaluation did not come"
            _print_result(finished)
            write_results(grid)
    return not interrupted


def _print_result(finished: FinishedRun) -> None:
    from experiments.reproduction.markdown import KINDS

    run = finished.run
    returns = ", ".join(f"{result.returns.mean():.1f} ({KINDS[result.split]} mazes)" for result in finished.results)
    ended = "diverged, " if finished.diverged else ""
    say(f"{run}: {ended}return {returns} after {finished.frames / 1e6:.2f} M frames in {finished.seconds / 60:.1f} minutes")


def _stoppable(progress: Progress, interrupted: list[int]) -> Progress:
    """A progress line that ends the work after Ctrl-C."""

    def show(text: str) -> None:
        if interrupted:
            raise _StoppedError
        progress(text)

    return show


def write_results(grid: Grid) -> None:
    """`table.md`, `table.json`, `curves.png` and, where the number of mazes varies, `generalisation.png`, each whole."""
    from experiments.analysis.items import png
    from experiments.reproduction.markdown import CURVES, Trainings, as_json, generalisation_file, markdown, pool_groups
    from experiments.reproduction.plots import generalisation, learning_curves
    from experiments.reproduction.run import read_finished

    found = [read_finished(run, run.folder(grid.out), grid.conditions) for run in grid.runs]
    finished = [done for done in found if done is not None]
    tasks = _summaries(grid, finished)
    if not tasks:
        return
    trainings = Trainings(
        sorted({done.machine for done in finished}),
        len(grid.runs) - len(finished),
        [str(done.run) for done in finished if done.diverged],
    )
    write_file(grid.out / "table.md", markdown(tasks, grid.conditions, grid.commands, trainings))
    write_json(grid.out / "table.json", as_json(tasks, grid.conditions, grid.commands, trainings))
    write_file(grid.out / CURVES, png(learning_curves(tasks, grid.agents)))
    pools = pool_groups(tasks)
    for name, group in pools.items():
        write_file(grid.out / generalisation_file(name, list(pools)), png(generalisation(name, group, grid.agents)))


def _summaries(grid: Grid, finished: list[FinishedRun]) -> list[TaskSummary]:
    """Summaries of the tasks in the grid's order; rows of the same task in the order of their number of training mazes."""
    from experiments.reproduction.run import read_baselines
    from experiments.reproduction.summary import summarise

    summaries = []
    for label, row in grid.tasks.items():
        done = [each for each in finished if each.run.label == label]
        if done:
            summaries.append(summarise(row, grid.agents, done, read_baselines(grid.out / label), grid.conditions.get("best", 0)))
    order = list(dict.fromkeys(task.row["task"] for task in summaries))
    return sorted(summaries, key=lambda task: (order.index(task.row["task"]), task.row["mazes"] if task.row["pool"] else 0))


@one_line_errors
def main() -> int:
    """The command."""
    arguments, trained = train_arguments(sys.argv[1:])
    options = parse_options(
        ReproduceOptions, arguments, default=ReproduceOptions(preset=trained.preset, settings=trained.settings)
    )
    # Imported after the options: they bring torch, which --help and mistakes need not wait for.
    from agents.runtime.errors import WorkerError
    from experiments.reproduction.markdown import CURVES

    command = shlex.join(["python", "-m", "experiments.reproduce", *sys.argv[1:]])
    try:
        whole = reproduce(options, command)
    except WorkerError as error:
        say(f"error: {' '.join(str(error).splitlines()[:1])}; go on with the same command: {command}", file=sys.stderr)
        say("\n".join(str(error).splitlines()[1:]), file=sys.stderr)
        return 1
    except OSError as error:
        raise InputError(f"cannot write {error.filename or options.out}: {error.strerror or error}") from error
    except KeyboardInterrupt:
        whole = False
    if not whole:
        say(f"stopped; go on with the same command: {command}")
        return 130
    say(f"table:   {options.out / 'table.md'} (and table.json)\ncurves:  {options.out / CURVES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
