"""Evaluates an agent in the mazes that it was trained on and in mazes that it has never seen.

    python -m experiments.evaluate --checkpoint runs/NAME --json evaluation.json
    python -m experiments.evaluate --checkpoint runs/NAME --erase respawn
    python -m experiments.evaluate --compare runs/A runs/B --figure comparison.png

A random policy, three searchers that see what an agent sees (`experiments.informed`) and an oracle on shortest paths play the
same episodes, which gives every task its scale.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from agents.config import MOST_COUNT, check_range
from env.painting.task import PaintingTask
from env.registry import generated_counterpart
from env.task import Task
from experiments.cluster.episodes import episodes_on
from experiments.options import ProgressLine, TaskOptions, check_folder, check_writable, command, write_file, write_json
from maze_gen.console import say
from maze_gen.errors import InputError

if TYPE_CHECKING:
    from agents.checkpoint import Checkpoint
    from agents.cluster.jobs import ClusterJobs
    from experiments.analysis.comparison import AgentRuns, Comparison
    from experiments.analysis.evaluation import Evaluation
    from experiments.analysis.metrics import Result
    from experiments.analysis.playback import Playback, Progress


@dataclass(frozen=True)
class EvaluateOptions:
    """Plays whole episodes with a checkpoint, a random policy, informed searchers and an oracle, and prints their figures.

    Attributes:
        world: the task; by default the checkpoint's own mazes, and held-out mazes under the same rules.
        checkpoint: the agent: a run's folder, or its checkpoint.
        compare: agents instead: each a checkpoint, or a folder whose checkpoints are runs of one agent; one folder of several
            runs is enough.
        figure: where to draw the comparison, a .png file.
        episodes: whole episodes of each task.
        seed: episode k is (seed, k); the same seed gives the same evaluation on any number of threads.
        erase: erases the state of the agent's network: respawn (at every respawn), a number N (before every N-th step), or always
            (before every step). Without it the agent plays as it is and with the state erased at respawns; the difference is
            the worth of its memory.
        device: where the worlds are stepped and the agent acts: cpu or cuda.
        json: where to write the figures.
        logdir: where to write the figures of one agent as TensorBoard's scalars, e.g. its run's folder.
        threads: blocks of episodes at the same time; one per processor core by default.
        cluster: the Ray cluster whose processors play blocks of episodes: local, HOST:PORT of its head, or auto.
    """

    checkpoint: Path | None = None
    compare: tuple[Path, ...] = ()
    figure: Path | None = None
    world: tyro.conf.OmitArgPrefixes[TaskOptions] = field(default_factory=TaskOptions)
    episodes: int = 100
    seed: int = 0
    erase: str | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    json: Path | None = None
    logdir: Path | None = None
    threads: int | None = None
    cluster: str | None = None

    def playback(self, task: Task, progress: Progress, jobs: ClusterJobs | None) -> Playback:
        """The episodes that the options name, of one task."""
        from experiments.analysis.playback import Playback

        return Playback(task, self.episodes, self.seed, self.world.backend, self.device, self.threads, progress, jobs)


def tasks_to_evaluate(checkpoint: Checkpoint, world: TaskOptions = TaskOptions()) -> list[Task]:  # noqa: B008 - frozen
    """The checkpoint's task or the one of the options, then its held-out counterpart, unless the options name a split.

    Where no held-out mazes of its size can be generated, or they can't satisfy its spawn rule, the task comes alone.

    Raises:
        InputError: the task can't be made, or lacks the split.
    """
    from env.backends import make_batch

    replace(world, split=None).check()
    task = checkpoint.task
    if world.given:
        own_split = replace(world, split=None) if world.split in ("fixed", "heldout") else world
        task = own_split.make(task.observation_size)
    if world.split is None:
        try:
            heldout = generated_counterpart(task)
            make_batch(heldout, 1).close()
        except InputError:
            return [task]
        return [task, heldout]
    if world.split == "heldout":
        return [generated_counterpart(task)]
    if world.split != task.split:
        raise InputError(f"--split {world.split}: task {task.name} has the splits {task.split} and heldout")
    return [task]


def agents_to_compare(paths: Sequence[Path]) -> dict[str, list[Checkpoint]]:
    """Name → checkpoints of every path, a file or a folder that is searched; equal names are made distinct by the path.

    Raises:
        InputError: fewer than two agents or runs, a folder without checkpoints, or a file that isn't one.
    """
    from agents.checkpoint import load_checkpoint

    found = [[load_checkpoint(file) for file in _checkpoint_files(path)] for path in paths]
    names = [runs[0].agent_name for runs in found]
    groups: dict[str, list[Checkpoint]] = {}
    for path, name, runs in zip(paths, names, found, strict=True):
        label = f"{name} ({path.stem if path.is_file() else path.name})" if names.count(name) > 1 else name
        groups[label if label not in groups else f"{name} ({path})"] = runs
    if sum(map(len, groups.values())) < 2:
        raise InputError(f"--compare {' '.join(map(str, paths))}: expected at least two agents, or two runs of one in its folder")
    return groups


def _checkpoint_files(path: Path) -> list[Path]:
    files = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: no checkpoint (*.safetensors) in this folder")
    return files


def run_comparison(options: EvaluateOptions) -> None:
    """`--compare`: evaluates every agent on the first one's tasks, and prints, writes and draws the comparison."""
    from experiments.analysis.comparison_plot import comparison_plot
    from experiments.analysis.items import png

    if options.checkpoint is not None:
        raise InputError(f"--checkpoint {options.checkpoint} and --compare exclude each other: name all agents after --compare")
    if options.erase is not None:
        raise InputError(f"--erase {options.erase} and --compare exclude each other: erasing is an option of one agent")
    if options.figure is not None and options.figure.suffix != ".png":
        raise InputError(f"--figure {options.figure}: expected a name that ends in .png")
    check_writable(options.figure)
    groups = agents_to_compare(options.compare)
    tasks = tasks_to_evaluate(next(iter(groups.values()))[0], options.world)
    compared = _compare(options, groups, tasks)
    # Files first: nothing that a terminal does can lose them.
    if options.json is not None:
        write_json(options.json, compared.as_json())
    if options.figure is not None:
        write_file(options.figure, png(comparison_plot(compared)))
    say(compared.tables())
    for name, checkpoints in groups.items():
        strangers = {checkpoint.task.name for checkpoint in checkpoints if checkpoint.task.mazes != tasks[0].mazes}
        if strangers and tasks[0].split != "heldout":
            say(f"\nnote: {name} was trained on other mazes ({', '.join(sorted(strangers))}): all mazes here are new to it")
    if options.json is not None:
        say(f"\nfigures: {options.json}")
    if options.figure is not None:
        say(f"picture: {options.figure}")


def _compare(options: EvaluateOptions, groups: dict[str, list[Checkpoint]], tasks: list[Task]) -> Comparison:
    from experiments.analysis.comparison import AgentRuns, compare
    from experiments.analysis.evaluation import evaluate

    agents: list[AgentRuns] = []
    baselines: dict[str, list[Result]] = {}
    with episodes_on(options.cluster, options.device, options.threads) as jobs, ProgressLine() as progress:
        for name, checkpoints in groups.items():
            found: list[Evaluation] = []
            for checkpoint in checkpoints:
                own = [replace(task, observation_size=checkpoint.task.observation_size) for task in tasks]
                found.append(evaluate(checkpoint, options.playback(own[0], progress, jobs), own, baselines=not baselines))
                baselines = baselines or found[0].baselines
            by_task = [[run.results[task] for run in found] for task in range(len(tasks))]
            agents.append(AgentRuns(name, [checkpoint.origin for checkpoint in checkpoints], by_task))
    return compare(agents, baselines)


def run(options: EvaluateOptions) -> None:
    from agents.checkpoint import load_checkpoint
    from experiments.analysis.evaluation import evaluate
    from experiments.analysis.memory import parse_erasure

    if options.figure is not None and not options.compare:
        raise InputError(f"--figure {options.figure} draws a comparison: give --compare AGENT AGENT, or leave the option out")
    if options.logdir is not None and options.compare:
        raise InputError(f"--logdir {options.logdir} is for one agent: --compare has --json and --figure")
    check_writable(options.json)
    check_folder(options.logdir)
    if options.compare:
        run_comparison(options)
        return
    if options.checkpoint is None:
        raise InputError("which agent? give --checkpoint FILE, or --compare A B")
    erase = None if options.erase is None else parse_erasure(options.erase)
    checkpoint = load_checkpoint(options.checkpoint)
    if isinstance(checkpoint.task, PaintingTask):
        _evaluate_painter(options, checkpoint)
        return
    tasks = tasks_to_evaluate(checkpoint, options.world)
    with episodes_on(options.cluster, options.device, options.threads) as jobs, ProgressLine() as progress:
        found = evaluate(checkpoint, options.playback(tasks[0], progress, jobs), tasks, erase=erase)
    # Files first: nothing that a terminal does can lose them.
    if options.json is not None:
        write_json(options.json, found.as_json())
    if options.logdir is not None:
        from experiments.evaluation_board import write_evaluation

        write_evaluation(options.logdir, found, checkpoint.frames)
    say(found.table())
    if options.json is not None:
        say(f"\nfigures: {options.json}")
    if options.logdir is not None:
        say(f"curves: tensorboard --logdir {shlex.quote(str(options.logdir))}")


_OF_MAZES = ("erase", "device", "logdir", "threads", "cluster")
"""Options of which a painter's evaluation has no use."""


def _evaluate_painter(options: EvaluateOptions, checkpoint: Checkpoint) -> None:
    from experiments.painting.evaluation import evaluate_painter

    usual, world = EvaluateOptions(), TaskOptions()
    given = [name for name in vars(world) if getattr(options.world, name) != getattr(world, name)]
    given += [name for name in _OF_MAZES if getattr(options, name) != getattr(usual, name)]
    if given:
        raise InputError(f"{checkpoint.origin} paints: --{given[0].replace('_', '-')} is for agents in mazes")
    check_range("--episodes", options.episodes, 2, MOST_COUNT, whole=True)
    check_range("--seed", options.seed, 0, 2**63 - 1, whole=True)
    found = evaluate_painter(checkpoint, options.episodes, options.seed)
    # Files first, as above.
    if options.json is not None:
        write_json(options.json, found.as_json())
    say(found.table())
    if options.json is not None:
        say(f"\nfigures: {options.json}")


main = command(EvaluateOptions, run)

if __name__ == "__main__":
    sys.exit(main())
