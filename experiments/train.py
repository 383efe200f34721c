"""Trains an agent in a task.

python -m experiments.train --task static-small --agent nav-d1d2l --minutes 10 --workers 2 --seed 1 --run-dir runs/first
python -m experiments.train --resume runs/first --minutes 10
"""

from __future__ import annotations

import shlex
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import tyro

from agents.config import MOST_COUNT
from env.batch import TaskLike
from env.painting.task import PaintingTask
from experiments.options import ProgressLine, write_json
from experiments.train_options import Plan, TrainOptions, make_plan, train_arguments, write_config
from maze_gen.cli import parse_options
from maze_gen.console import say
from maze_gen.errors import InputError, Note, one_line_errors
from maze_gen.help_page import option_field

if TYPE_CHECKING:
    from agents.trainer import Callback, Trainer
    from experiments.run_log import RunLog


LEAST_PAINTINGS = 1000
"""Of which Fréchet distances are; a painting takes a millisecond."""


@dataclass(frozen=True)
class RunResult:
    """What a training left behind.

    Attributes:
        folder: of the run.
        checkpoint: the file of the final agent.
        summary: what `summary.json` says.
        interrupted: whether it ended on Ctrl-C instead of at the end of its budget.
        cluster: on which it was trained.
    """

    folder: Path
    checkpoint: Path
    summary: dict[str, Any]
    interrupted: bool
    cluster: str | None = None


def train(options: TrainOptions, task: TaskLike | None = None) -> RunResult:
    """Trains until the budget is spent, or Ctrl-C.

    Args:
        task: a task of one's own, instead of one that the options name.

    Raises:
        InputError: an option makes no sense, a file can't be read, or the run's folder can't be written.
        DivergedError: the parameters are no longer finite; the last finite checkpoint is in the run's folder.
        WorkerError: a worker's process died, or the cluster was lost; the last checkpoint is in the run's folder.
    """
    from agents.runtime.errors import WorkerError

    plan = make_plan(options, task)
    with plan.lock:
        try:
            return _run(plan, options)
        except WorkerError as error:
            error.folder = plan.folder
            raise


def _run(plan: Plan, options: TrainOptions) -> RunResult:
    from agents.checkpoint import CHECKPOINT
    from agents.checkpoint_saver import CheckpointSaver
    from agents.trainer import Trainer
    from experiments.run_log import RunLog

    saver = CheckpointSaver(plan.folder / CHECKPOINT, options.checkpoint_minutes)
    write_config(plan, options.several)
    earlier = plan.training.earlier
    log = RunLog(plan.folder, earlier.frames if earlier else 0)
    try:
        trainer = Trainer(plan.training, plan.budget, [saver, log, *_others(plan)])
        with interruptible() as interrupted:
            trainer.train(lambda: bool(interrupted))
            summary = _summary(plan, trainer, log, saver.path, bool(interrupted))
            try:
                write_json(plan.folder / "summary.json", summary)
            except InputError as error:
                # The checkpoint lies somewhere: where, and how to go on, is still to be said.
                warnings.warn(str(error), Note, stacklevel=2)
        return RunResult(plan.folder, saver.path, summary, bool(interrupted), options.several.cluster)
    finally:
        log.close()


def _others(plan: Plan) -> list[Callback]:
    """What writes pictures of the agent to TensorBoard while it trains, and the averaged weights of painters."""
    if isinstance(plan.training.task, PaintingTask):
        from agents.averaging import AVERAGED, AveragedWeights
        from agents.population import Evolution
        from experiments.painting.during_training import GalleryCallback

        # Members are replaced before they are averaged.
        return [Evolution(), GalleryCallback(plan.folder), AveragedWeights(plan.folder / AVERAGED)]
    from experiments.analysis.during_training import AnalysisCallback

    return [AnalysisCallback(plan.folder)]


def _summary(plan: Plan, trainer: Trainer, log: RunLog, checkpoint: Path, interrupted: bool) -> dict[str, Any]:
    training = plan.training
    return {
        "checkpoint": str(checkpoint),
        "agent": training.agent_name,
        "task": training.task.name,
        "preset": training.preset,
        "seed": training.seed,
        "workers": training.workers,
        "interrupted": interrupted,
        **log.summary(trainer.progress),
    }


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """A list that gets an entry on the first Ctrl-C (or SIGTERM, SIGHUP); a second Ctrl-C interrupts as usual."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    try:
        before = {number: signal.signal(number, note) for number in numbers}
    except ValueError:
        # Not the main thread: signals are somebody else's.
        yield received
        return
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def resume_command(folder: Path, cluster: str | None = None) -> str:
    """The command that goes on with a run, on a cluster where one is named."""
    where = [] if cluster is None else ["--cluster", cluster]
    return shlex.join(["python", "-m", "experiments.train", "--resume", str(folder), *where])


def train_or_explain(options: TrainOptions) -> RunResult | None:
    """Trains; where a worker's process died or Ctrl-C came twice, says so on stderr, and how to go on, and returns None.

    Raises:
        InputError: as `train`, and where the disk is full.
    """
    from agents.runtime.errors import WorkerError

    try:
        return train(options)
    except WorkerError as error:
        say(f"error: {' '.join(str(error).splitlines()[:1])}; the training ended", file=sys.stderr)
        if error.folder is not None:
            say(f"go on with: {resume_command(error.folder, options.several.cluster)}", file=sys.stderr)
        say("\n".join(str(error).splitlines()[1:]), file=sys.stderr)
        return None
    except KeyboardInterrupt:
        say("error: interrupted, nothing more was saved", file=sys.stderr)
        return None
    except OSError as error:
        raise InputError(f"cannot write {error.filename or 'the run'}: {error.strerror or error}") from error


@dataclass(frozen=True)
class CommandOptions:
    """Trains an agent in a task, then analyses it.

    Attributes:
        training: what is trained.
        analysis_episodes: whole episodes in which the trained agent is analysed (experiments.decode); 0 for none.
    """

    training: tyro.conf.OmitArgPrefixes[TrainOptions] = field(default_factory=TrainOptions)
    analysis_episodes: int = option_field(50, group="After the training")


@one_line_errors
def main() -> int:
    """The command."""
    arguments, default = train_arguments(sys.argv[1:])
    options = parse_options(CommandOptions, arguments, default=CommandOptions(default))
    if options.analysis_episodes == 1 or not 0 <= options.analysis_episodes <= MOST_COUNT:
        raise InputError(f"--analysis-episodes {options.analysis_episodes}: expected 0 for none, or 2 to {MOST_COUNT}")
    result = train_or_explain(options.training)
    if result is None:
        return 1
    interrupted = result.interrupted
    if options.analysis_episodes and not interrupted:
        interrupted = not analyse(result, options.analysis_episodes)
    say_how_to_go_on(result)
    return 130 if interrupted else 0


def say_how_to_go_on(result: RunResult) -> None:
    """Prints where the checkpoint is, and the command that trains on."""
    say(f"checkpoint: {result.checkpoint}")
    say(f"go on with: {resume_command(result.folder, result.cluster)}")


def analyse(result: RunResult, episodes: int) -> bool:
    """Analyses the trained agent and prints the key numbers; False where Ctrl-C came before the end."""
    with analysis_interruptible(result) as interrupted:
        from agents.checkpoint import load_checkpoint
        from experiments.analysis.playback import Playback
        from experiments.decode import ANALYSIS, decode, summary_of

        checkpoint, report = load_checkpoint(result.checkpoint), result.folder / "report.html"
        if isinstance(checkpoint.task, PaintingTask):
            from agents.averaging import AVERAGED
            from experiments.painting.during_training import write_gallery

            # Training swings: what is shown is the averaged agent.
            checkpoint = load_checkpoint(result.folder / AVERAGED)
            found = write_gallery(checkpoint, report, max(episodes, LEAST_PAINTINGS), 1)
            write_json(result.folder / "evaluation.json", found.as_json())
            say(f"{found.table()}\nreport: {report}")
            return not interrupted
        with ProgressLine() as progress:
            playback = Playback(checkpoint.task, episodes, 1, checkpoint.backend, progress=progress)
            items = decode(checkpoint, playback, result.folder / ANALYSIS, report)
        say(f"{summary_of(items)}\nreport: {report}")
    return not interrupted


@contextmanager
def analysis_interruptible(result: RunResult) -> Iterator[list[int]]:
    """A block that Ctrl-C ends, with a line that says that the training is saved; the list has an entry then."""
    interrupted: list[int] = []
    try:
        yield interrupted
    except KeyboardInterrupt:
        interrupted.append(signal.SIGINT)
        again = shlex.join(["python", "-m", "experiments.decode", "--checkpoint", str(result.checkpoint)])
        say(f"\nthe analysis was interrupted; the training is saved; analyse it with: {again}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
