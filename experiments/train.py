"""Trains an agent in a task.

python -m experiments.train --task static-small --agent nav-d1d2l --minutes 10 --workers 2 --seed 1 --run-dir runs/first
python -m experiments.train --resume runs/first --minutes 10
"""

import functools
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import tyro

from agents.checkpoint import CHECKPOINT, Checkpoint, library_versions, load_checkpoint, save_checkpoint
from agents.config import agent_config
from agents.learning.parameter_store import ParameterStore, StreamStore
from agents.model import AgentModel, FlatParameters
from agents.runtime.cuda import CudaRuntime
from agents.runtime.processes import ProcessRuntime, WorkerError
from agents.runtime.serial import SerialRuntime
from agents.runtime.worker import WorkerSpec, initial_model
from env.backends import make_batch
from env.task import Task
from experiments.analysis.during_training import LiveAnalysis
from experiments.decode import decode, summary_of
from experiments.options import ProgressLine, write_json
from experiments.run_log import RunLog
from experiments.train_options import DEFAULT_MINUTES, Plan, TrainOptions, default_options, make_plan, write_config
from maze_gen.cli import parse_options
from maze_gen.errors import InputError, one_line_errors

Runtime = ProcessRuntime | SerialRuntime | CudaRuntime


@dataclass(frozen=True)
class RunResult:
    """What a training left behind.

    Attributes:
        folder: of the run.
        checkpoint: the file of the final agent.
        summary: what `summary.json` says.
        interrupted: whether it ended on Ctrl-C instead of at the end of its budget.
    """

    folder: Path
    checkpoint: Path
    summary: dict[str, Any]
    interrupted: bool


def train(options: TrainOptions, task: Task | None = None) -> RunResult:
    """Trains until the budget is spent, or Ctrl-C.

    Args:
        task: a task of one's own, instead of one that the options name.

    Raises:
        InputError: an option makes no sense, a file can't be read, or the run's folder can't be written.
        WorkerError: a worker's process died; the last checkpoint is in the run's folder.
    """
    plan = make_plan(options, task)
    model = (
        plan.earlier.model() if plan.earlier else initial_model(agent_config(plan.agent_name), plan.task, plan.config, plan.seed)
    )
    flat = FlatParameters(model)
    store = StreamStore(plan.config, flat) if options.device == "cuda" else ParameterStore(plan.config, flat)
    if plan.earlier:
        plan.earlier.restore(store, flat)
    write_config(plan)
    log = RunLog(plan.folder, model, plan.earlier.frames if plan.earlier else 0, plan.earlier.seconds if plan.earlier else 0.0)
    run = _Run(plan, model, flat, store, log)
    try:
        return run.run()
    finally:
        log.close()


class _Run:
    """A training in progress."""

    def __init__(self, plan: Plan, model: AgentModel, flat: FlatParameters, store: ParameterStore, log: RunLog) -> None:
        self.plan, self.model, self.flat, self.store, self.log = plan, model, flat, store, log
        self.path = plan.folder / CHECKPOINT
        self.saved = time.monotonic()

    def run(self) -> RunResult:
        plan, log = self.plan, self.log
        # There is a checkpoint from the first moment on, and a folder that can't be written is known before the work.
        self.save()
        specs = [
            WorkerSpec(
                agent_config(plan.agent_name),
                plan.config,
                plan.task,
                functools.partial(make_batch, backend=plan.backend, device=plan.options.device),
                plan.seed,
                index,
                plan.sessions,
            )
            for index in range(plan.workers)
        ]
        if self._budget()[0] >= 1:
            return RunResult(plan.folder, self.path, self._finish(False), False)
        with interruptible() as interrupted:
            runtime = self._start(specs)
            try:
                self._until_spent(runtime, interrupted)
            finally:
                # Also after an error: no worker outlives this, and what they had learned is kept.
                for report in runtime.stop():
                    log.add(report, plan.task.action_repeat)
                summary = self._finish(bool(interrupted))
        return RunResult(plan.folder, self.path, summary, bool(interrupted))

    def _start(self, specs: list[WorkerSpec]) -> Runtime:
        serial = self.plan.options.serial
        if self.plan.options.device == "cuda":
            return CudaRuntime(specs, self.store, graphs=not serial)
        return (SerialRuntime if serial else ProcessRuntime)(specs, self.store)

    def _until_spent(self, runtime: Runtime, interrupted: list[int]) -> None:
        plan, log = self.plan, self.log
        live = LiveAnalysis(plan.folder)
        spent = 0.0
        try:
            while spent < 1 and not interrupted:
                for report in runtime.poll(0.2):
                    log.add(report, plan.task.action_repeat)
                spent, left = self._budget()
                self.store.progress.fill_(min(spent, 1.0))
                log.write_if_due()
                log.show(left)
                if time.monotonic() - self.saved >= 60 * plan.options.checkpoint_minutes:
                    self.save()
                live.read_if_due(self.checkpoint)
        finally:
            live.stop()

    def _budget(self) -> tuple[float, float | None]:
        """(share of the budget that is spent, seconds left where they can be told)."""
        options, log = self.plan.options, self.log
        shares: list[tuple[float, float | None]] = []
        minutes = options.minutes
        if minutes is None and options.total_minutes is None and options.frames is None:
            minutes = DEFAULT_MINUTES
        if minutes is not None:
            total = 60 * minutes
            shares.append((log.session_seconds / total if total else 1.0, total - log.session_seconds))
        if options.total_minutes is not None:
            total = 60 * options.total_minutes
            shares.append((log.seconds / total if total else 1.0, total - log.seconds))
        if options.frames is not None:
            done = log.frames - log.first_frames
            left = log.session_seconds * (options.frames - log.frames) / done if done else None
            shares.append((log.frames / options.frames if options.frames else 1.0, left))
        return max(shares, key=lambda item: item[0])

    def checkpoint(self) -> Checkpoint:
        """The agent as of now."""
        plan = self.plan
        parameters, statistics = self.store.snapshot()
        return Checkpoint(
            agent_name=plan.agent_name,
            config=plan.config,
            preset=plan.options.preset,
            task=plan.task,
            backend=plan.backend,
            seed=plan.seed,
            frames=self.log.frames,
            seconds=self.log.seconds,
            sessions=plan.sessions + 1,
            parameters=self.flat.named(parameters),
            statistics=statistics,
            versions=library_versions(),
        )

    def save(self) -> None:
        """Writes the checkpoint as of now."""
        save_checkpoint(self.path, self.checkpoint())
        self.saved = time.monotonic()

    def _finish(self, interrupted: bool) -> dict[str, Any]:
        """Writes the last entry, the last checkpoint (unless the parameters went bad) and the summary."""
        if not bool(torch.isfinite(self.store.parameters).all()):
            raise InputError(f"the parameters are no longer finite: {self.path} is as it was before; lower --learning-rate")
        self.save()
        self.log.write()
        self.log.show(None, last=True)
        summary = self._summary(interrupted)
        write_json(self.plan.folder / "summary.json", summary)
        return summary

    def _summary(self, interrupted: bool) -> dict[str, Any]:
        plan = self.plan
        return {
            "checkpoint": str(self.path),
            "agent": plan.agent_name,
            "task": plan.task.name,
            "preset": plan.options.preset,
            "seed": plan.seed,
            "workers": plan.workers,
            "interrupted": interrupted,
            **self.log.summary(),
        }


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """A list that gets an entry on the first Ctrl-C (or SIGTERM); the second one interrupts as usual."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:
        # Not the main thread: signals are somebody else's.
        yield received
        return
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def train_or_explain(options: TrainOptions) -> RunResult | None:
    """Trains; where a worker's process died or Ctrl-C came twice, says so on stderr, and how to go on, and returns None.

    Raises:
        InputError: as `train`, and where the disk is full.
    """
    try:
        return train(options)
    except WorkerError as error:
        print(f"error: {' '.join(str(error).splitlines()[:1])}; the training ended", file=sys.stderr)
        folder = options.run_dir or options.resume
        if folder is not None:
            print(f"go on with: python -m experiments.train --resume {folder}", file=sys.stderr)
        print("\n".join(str(error).splitlines()[1:]), file=sys.stderr)
        return None
    except KeyboardInterrupt:
        print("error: interrupted twice, nothing more was saved", file=sys.stderr)
        return None
    except OSError as error:
        raise InputError(f"cannot write {error.filename or 'the run'}: {error.strerror or error}") from error


@dataclass(frozen=True)
class CommandOptions:
    """Trains an agent in a task, then reads it.

    Attributes:
        training: what is trained.
        reading_episodes: whole episodes in which the trained agent is read (experiments.decode); 0 for none.
    """

    training: tyro.conf.OmitArgPrefixes[TrainOptions] = field(default_factory=TrainOptions)
    reading_episodes: int = 50


@one_line_errors
def main() -> int:
    """The command."""
    arguments = sys.argv[1:]
    options = parse_options(CommandOptions, arguments, default=CommandOptions(default_options(arguments)))
    if options.reading_episodes == 1 or options.reading_episodes < 0:
        raise InputError(f"--reading-episodes {options.reading_episodes}: expected 0 for none, or at least 2")
    result = train_or_explain(options.training)
    if result is None:
        return 1
    if options.reading_episodes and not result.interrupted:
        checkpoint, report = load_checkpoint(result.checkpoint), result.folder / "report.html"
        with ProgressLine() as progress:
            exhibits = decode(
                checkpoint,
                result.folder / "reading",
                episodes=options.reading_episodes,
                report=report,
                backend=checkpoint.backend,
                progress=progress,
            )
        print(f"{summary_of(exhibits)}\nreport: {report}")
    print(f"checkpoint: {result.checkpoint}")
    print(f"go on with: python -m experiments.train --resume {result.folder}")
    return 130 if result.interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
