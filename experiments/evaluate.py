"""How well does an agent navigate, in the mazes it learned in and in mazes it has never seen?

    python -m experiments.evaluate --checkpoint runs/NAME/checkpoint.safetensors --json evaluation.json
    python -m experiments.evaluate --compare runs/A runs/B --figure comparison.png

Beside the agent play a random policy and an oracle on shortest paths, which give every task its scale.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tyro

from agents.checkpoint import Checkpoint, load_checkpoint
from env.backends import make_batch
from env.registry import generated_counterpart
from env.task import Task
from experiments.analysis.comparison import AgentRuns, compare, picture
from experiments.analysis.head_outputs import HeadsProbe, loop_closure_f1
from experiments.analysis.items import png
from experiments.analysis.metrics import Result, result_of, table
from experiments.analysis.trajectories import Progress, record
from experiments.options import ProgressLine, TaskOptions, check_writable, command, write_file, write_json
from experiments.policies import BASELINES, PolicyFactory, player_of
from maze_gen.errors import InputError

Split = Literal["train", "heldout", "fixed"]


@dataclass(frozen=True)
class EvaluateOptions:
    """Plays whole episodes with a checkpoint, a random policy and a shortest-path oracle, and prints their figures.

    Attributes:
        world: the task; by default the checkpoint's own mazes, and held-out mazes played by the same rules.
        checkpoint: the agent: a run's folder, or its checkpoint.
        compare: agents instead: each a checkpoint, or a folder whose checkpoints are runs of one agent; one folder of several
            runs will do.
        figure: where to draw the comparison, a .png file.
        episodes: whole episodes of each task.
        seed: episode k is (seed, k); the same seed gives the same evaluation on any number of threads.
        json: where to write the figures.
        threads: how many to play on; one a processor core without it.
    """

    checkpoint: Path | None = None
    compare: tuple[Path, ...] = ()
    figure: Path | None = None
    world: tyro.conf.OmitArgPrefixes[TaskOptions] = field(default_factory=TaskOptions)
    episodes: int = 100
    seed: int = 0
    json: Path | None = None
    threads: int | None = None


@dataclass(frozen=True)
class Evaluation:
    """Figures of an agent and of the baselines on the same tasks, in the same order."""

    checkpoint: str
    agent: str
    results: list[Result]
    baselines: dict[str, list[Result]]

    def as_json(self) -> dict[str, Any]:
        return {
            "checkpoint": self.checkpoint,
            "agent": self.agent,
            "results": [result.as_json() for result in self.results],
            "baselines": {name: [result.as_json() for result in results] for name, results in self.baselines.items()},
        }

    def table(self) -> str:
        rows = []
        for index, result in enumerate(self.results):
            rows.append((self.agent, result))
            rows += [(name, results[index]) for name, results in self.baselines.items()]
        return table(rows)


def tasks_to_evaluate(checkpoint: Checkpoint, world: TaskOptions = TaskOptions()) -> list[Task]:  # noqa: B008 - frozen
    """The checkpoint's task or the one that is asked for, then its held-out counterpart, unless a split was asked for.

    Where mazes of its size are too few, or too small for its spawn rule, it comes alone.

    Raises:
        InputError: the task can't be made, or hasn't the split.
    """
    task = checkpoint.task
    if world.given:
        own_split = replace(world, split=None) if world.split in ("fixed", "heldout") else world
        task = own_split.make(task.observation_size)
    if world.split is None:
        try:
            heldout = generated_counterpart(task)
            make_batch(heldout, 1).close()
        except InputError:
            # There is nothing to hold out.
            return [task]
        return [task, heldout]
    if world.split == "heldout":
        return [generated_counterpart(task)]
    if world.split != task.split:
        raise InputError(f"--split {world.split}: task {task.name} has the splits {task.split} and heldout")
    return [task]


def evaluate_player(
    task: Task,
    make_player: PolicyFactory,
    episodes: int,
    seed: int,
    *,
    position: bool = False,
    loops: bool = False,
    depth: bool = False,
    backend: str = "embedded",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Plays and sums up; `position` and `loops` say whether the player's position decoder and loop-closure head are read."""
    probe = HeadsProbe(position, loops) if position or loops else None
    recording = record(
        task, make_player, episodes, seed, probe=probe, depth=depth, backend=backend, threads=threads, progress=progress
    )
    return replace(result_of(recording), loop_closure_f1=loop_closure_f1(recording) if loops else None)


def evaluate(
    checkpoint: Checkpoint,
    tasks: list[Task],
    episodes: int = 100,
    seed: int = 0,
    *,
    backend: str = "embedded",
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
    with_baselines: bool = True,
) -> Evaluation:
    """An agent and the baselines on several tasks.

    Args:
        checkpoint: the agent; its pictures' size is that of the tasks.
        tasks: what is played, e.g. `tasks_to_evaluate(checkpoint)`.
        progress: told what is being played and how far it is.
        with_baselines: whether the random policy and the oracle play too.
    """

    def play(task: Task, who: str, make_player: PolicyFactory, **reading: bool) -> Result:
        def tell(text: str) -> None:
            if progress:
                progress(f"{who} on {task.name}, {task.split} mazes: {text}")

        return evaluate_player(task, make_player, episodes, seed, backend=backend, threads=threads, progress=tell, **reading)

    results: list[Result] = []
    baselines: dict[str, list[Result]] = {name: [] for name in BASELINES} if with_baselines else {}
    for task in tasks:
        position = "position" in checkpoint.agent.losses and task.cells == checkpoint.task.cells
        loops = "loop-closure" in checkpoint.agent.losses
        depth = checkpoint.agent.depth_input
        results.append(play(task, checkpoint.agent_name, player_of(checkpoint), position=position, loops=loops, depth=depth))
        for name, make_player in BASELINES.items() if with_baselines else ():
            baselines[name].append(play(task, name, make_player))
    return Evaluation(checkpoint.origin, checkpoint.agent_name, results, baselines)


def agents_to_compare(paths: Sequence[Path]) -> dict[str, list[Checkpoint]]:
    """Name → checkpoints of every path, a file or a folder that is searched; names are made distinct by the path.

    Raises:
        InputError: fewer than two agents or runs, nothing found, or not a checkpoint.
    """
    groups: dict[str, list[Checkpoint]] = {}
    for path in paths:
        files = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
        if not files:
            raise InputError(f"{path}: no checkpoint (*.safetensors) in this folder")
        runs = [load_checkpoint(file) for file in files]
        name = runs[0].agent_name
        taken = name in groups or sum(load_checkpoint(_first(other)).agent_name == name for other in paths) > 1
        label = f"{name} ({path.stem if path.is_file() else path.name})" if taken else name
        groups[label if label not in groups else f"{name} ({path})"] = runs
    if sum(map(len, groups.values())) < 2:
        raise InputError(f"--compare {' '.join(map(str, paths))}: expected at least two agents, or two runs of one in its folder")
    return groups


def _first(path: Path) -> Path:
    files = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: no checkpoint (*.safetensors) in this folder")
    return files[0]


def run_comparison(options: EvaluateOptions) -> None:
    """`--compare`: evaluates every agent on the first one's tasks, and prints, writes and draws what differs."""
    if options.checkpoint is not None:
        raise InputError(f"--checkpoint {options.checkpoint} and --compare exclude each other: name all agents after --compare")
    if options.figure is not None and options.figure.suffix != ".png":
        raise InputError(f"--figure {options.figure}: expected a name that ends in .png")
    check_writable(options.figure)
    groups = agents_to_compare(options.compare)
    tasks = tasks_to_evaluate(next(iter(groups.values()))[0], options.world)
    agents: list[AgentRuns] = []
    baselines: dict[str, list[Result]] = {}
    with ProgressLine() as progress:
        for name, checkpoints in groups.items():
            found = [
                evaluate(
                    checkpoint,
                    [replace(task, observation_size=checkpoint.task.observation_size) for task in tasks],
                    options.episodes,
                    options.seed,
                    backend=options.world.backend,
                    threads=options.threads,
                    progress=progress,
                    with_baselines=not baselines,
                )
                for checkpoint in checkpoints
            ]
            baselines = baselines or found[0].baselines
            by_task = [[run.results[task] for run in found] for task in range(len(tasks))]
            agents.append(AgentRuns(name, [checkpoint.origin for checkpoint in checkpoints], by_task))
    compared = compare(agents, baselines)
    print(compared.tables())
    for name, checkpoints in groups.items():
        strangers = {checkpoint.task.name for checkpoint in checkpoints if checkpoint.task.mazes != tasks[0].mazes}
        if strangers and tasks[0].split != "heldout":
            print(f"\nnote: {name} was trained on other mazes ({', '.join(sorted(strangers))}), and has no known ones here")
    if options.json is not None:
        write_json(options.json, compared.as_json())
        print(f"\nfigures: {options.json}")
    if options.figure is not None:
        write_file(options.figure, png(picture(compared)))
        print(f"picture: {options.figure}")


def run(options: EvaluateOptions) -> None:
    check_writable(options.json)
    if options.compare:
        run_comparison(options)
        return
    if options.checkpoint is None:
        raise InputError("which agent? give --checkpoint FILE, or --compare A B")
    checkpoint = load_checkpoint(options.checkpoint)
    tasks = tasks_to_evaluate(checkpoint, options.world)
    with ProgressLine() as progress:
        found = evaluate(
            checkpoint,
            tasks,
            options.episodes,
            options.seed,
            backend=options.world.backend,
            threads=options.threads,
            progress=progress,
        )
    print(found.table())
    if options.json is not None:
        write_json(options.json, found.as_json())
        print(f"\nfigures: {options.json}")


main = command(EvaluateOptions, run)

if __name__ == "__main__":
    sys.exit(main())
