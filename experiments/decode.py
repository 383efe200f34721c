"""What does an agent know? Where it believes it is, what it recognises, how it behaves, and what its cells respond to.

    python -m experiments.decode --checkpoint runs/NAME/checkpoint.safetensors --logdir runs/NAME/reading --report reading.html

Any checkpoint can be read: decoders are fitted after the fact, on features that stay as they are.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from agents.checkpoint import Checkpoint, checkpoint_path, load_checkpoint
from env.task import Task
from experiments.analysis.analyse import analyse_agent
from experiments.analysis.items import Exhibit, Number
from experiments.analysis.report import write_report
from experiments.analysis.tensorboard import Board
from experiments.options import ProgressLine, TaskOptions, check_writable, command
from maze_gen.errors import InputError


@dataclass(frozen=True)
class DecodeOptions:
    """Plays whole episodes with a checkpoint, reads its mind, and shows it in TensorBoard and on a page of its own.

    Attributes:
        world: the task; by default the checkpoint's own.
        checkpoint: the agent: a run's folder, or its checkpoint.
        episodes: whole episodes; decoders are fitted on 60 % of them and tested on the others.
        seed: episode k is (seed, k).
        logdir: TensorBoard folder; by default `reading` beside the checkpoint.
        report: one self-contained HTML page, to be sent to a colleague.
        threads: how many to play and fit on; one a processor core without it.
    """

    checkpoint: Path | None = None
    world: tyro.conf.OmitArgPrefixes[TaskOptions] = field(default_factory=TaskOptions)
    episodes: int = 100
    seed: int = 1
    logdir: Path | None = None
    report: Path | None = None
    threads: int | None = None


def task_to_read(checkpoint: Checkpoint, world: TaskOptions) -> Task:
    """The task that is asked for, or the checkpoint's own.

    Raises:
        InputError: it can't be made.
    """
    return world.make(checkpoint.task.observation_size) if world.given else checkpoint.task


def decode(
    checkpoint: Checkpoint,
    logdir: Path,
    *,
    task: Task | None = None,
    episodes: int = 100,
    seed: int = 1,
    report: Path | None = None,
    backend: str = "embedded",
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Exhibit]:
    """Reads an agent and shows everything in TensorBoard's folder `logdir`, and what matters in `report`.

    Raises:
        InputError: fewer than two episodes, a place that can't be written, or a task that can't be played.
    """
    if episodes < 2:
        raise InputError(f"episodes is {episodes}, expected at least 2: some to fit decoders on, others to test them")
    board = Board(logdir)
    try:
        exhibits = analyse_agent(
            checkpoint, task or checkpoint.task, episodes, seed, backend=backend, threads=threads, progress=progress
        )
        board.hang(exhibits)
    finally:
        board.close()
    if report is not None:
        write_report(report, exhibits, f"What {checkpoint.agent_name} knows of {(task or checkpoint.task).name}")
    return exhibits


def run(options: DecodeOptions) -> None:
    if options.checkpoint is None:
        raise InputError("which agent? give --checkpoint FILE")
    check_writable(options.report)
    checkpoint = load_checkpoint(options.checkpoint)
    logdir = options.logdir or checkpoint_path(options.checkpoint).parent / "reading"
    with ProgressLine() as progress:
        exhibits = decode(
            checkpoint,
            logdir,
            task=task_to_read(checkpoint, options.world),
            episodes=options.episodes,
            seed=options.seed,
            report=options.report,
            backend=options.world.backend,
            threads=options.threads,
            progress=progress,
        )
    print(summary_of(exhibits))
    print(f"\nsee it: tensorboard --logdir {logdir} --samples_per_plugin images=100")
    if options.report is not None:
        print(f"report: {options.report}")


def summary_of(exhibits: list[Exhibit]) -> str:
    """The key numbers, a line each."""
    lines = []
    for exhibit in exhibits:
        if isinstance(exhibit, Number) and exhibit.key:
            beside = ", ".join(f"{who} {exhibit.shown(value)}" for who, value in exhibit.beside.items())
            lines.append(
                f"{exhibit.section[2:]}: {exhibit.name} {exhibit.shown(exhibit.value)}" + (f" ({beside})" if beside else "")
            )
    return "\n".join(lines)


main = command(DecodeOptions, run)

if __name__ == "__main__":
    sys.exit(main())
