"""Trains an agent in a task.

python -m experiments.train --task static-small --agent nav-d1d2l --minutes 10 --workers 2 --seed 1 --run-dir runs/first
python -m experiments.train --resume runs/first --minutes 10
"""

import dataclasses
import functools
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
import tyro

from agents.checkpoint import Checkpoint, library_versions, load_checkpoint, save_checkpoint
from agents.config import PRESETS, TrainConfig, agent_config, preset
from agents.model import AgentModel, FlatParameters
from agents.runtime.processes import ProcessRuntime, WorkerError
from agents.runtime.serial import SerialRuntime
from agents.store import SharedStore
from agents.worker import WorkerSpec, initial_model
from env.backends import make_batch
from env.task import Task
from experiments.cli import TaskOptions, write_json
from experiments.reading.live import LiveReading
from experiments.run_log import RunLog
from maze_gen.command import parse_options
from maze_gen.errors import InputError, one_line_errors
from maze_gen.maze import Geometry

CHECKPOINT = "checkpoint.safetensors"
DEFAULT_TASK = "static-small"
DEFAULT_AGENT = "nav-d1d2l"
DEFAULT_MINUTES = 10.0


@dataclass(frozen=True)
class TrainOptions:
    """Trains an agent in a task.

    Attributes:
        task: a name of the registry; static-small where neither this nor a maze file is given.
        maze_file: a text maze that is made into a task of its own.
        geometry: how the maze file's walls are read: thin (on the edges between cells) or block (solid characters).
        backend: embedded (this project's engine) or lab (DeepMind Lab, where it is installed).
        agent: a row of the table of agents; nav-d1d2l where it isn't given.
        preset: the settings to start from: fast (learns in minutes) or paper (the paper's).
        minutes: how long to train now; 10 where frames aren't given either.
        frames: how many frames of 1/60 s to train in all, earlier sessions included.
        workers: processes, each with worlds of its own.
        seed: of everything random.
        run_dir: where checkpoint, curves and summary go; a new folder under runs/ where it isn't given.
        resume: a run's folder, or a checkpoint, to go on with.
        checkpoint_minutes: time between two checkpoints.
        serial: all workers in this process, one after the other, for debugging.
        settings: of the preset, one option each.
    """

    task: str | None = None
    maze_file: Path | None = None
    geometry: Geometry = "thin"
    backend: Literal["embedded", "lab"] | None = None
    agent: str | None = None
    preset: str = "fast"
    minutes: float | None = None
    frames: int | None = None
    workers: int = 2
    seed: int | None = None
    run_dir: Path | None = None
    resume: Path | None = None
    checkpoint_minutes: float = 1.0
    serial: bool = False
    settings: tyro.conf.OmitArgPrefixes[TrainConfig] = field(default_factory=TrainConfig)


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


@dataclass(frozen=True)
class _Plan:
    """Options and the checkpoint to go on with, made into one description of what to train."""

    options: TrainOptions
    agent_name: str
    task: Task
    backend: str
    seed: int
    folder: Path
    earlier: Checkpoint | None

    @property
    def config(self) -> TrainConfig:
        return self.options.settings

    @property
    def sessions(self) -> int:
        return self.earlier.sessions if self.earlier else 0


def train(options: TrainOptions, task: Task | None = None) -> RunResult:
    """Trains until the budget is spent, or Ctrl-C.

    Args:
        task: a task of one's own, instead of one that the options name.

    Raises:
        InputError: an option makes no sense, a file can't be read, or the run's folder can't be written.
        WorkerError: a worker's process died; the last checkpoint is in the run's folder.
    """
    plan = _plan(options, task)
    model = (
        plan.earlier.model() if plan.earlier else initial_model(agent_config(plan.agent_name), plan.task, plan.config, plan.seed)
    )
    flat = FlatParameters(model)
    store = SharedStore(plan.config, flat)
    if plan.earlier:
        plan.earlier.restore(store, flat)
    _write_config(plan)
    log = RunLog(plan.folder, model, plan.earlier.frames if plan.earlier else 0, plan.earlier.seconds if plan.earlier else 0.0)
    run = _Run(plan, model, flat, store, log)
    try:
        return run.run()
    finally:
        log.close()


class _Run:
    """A training in progress."""

    def __init__(self, plan: _Plan, model: AgentModel, flat: FlatParameters, store: SharedStore, log: RunLog) -> None:
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
                functools.partial(make_batch, backend=plan.backend),
                plan.seed,
                index,
                plan.sessions,
            )
            for index in range(plan.options.workers)
        ]
        if self._budget()[0] >= 1:
            return RunResult(plan.folder, self.path, self._finish(False), False)
        with _interruptible() as interrupted:
            runtime = (SerialRuntime if plan.options.serial else ProcessRuntime)(specs, self.store)
            try:
                self._until_spent(runtime, interrupted)
            finally:
                # Also after an error: no worker outlives this, and what they had learned is kept.
                for report in runtime.stop():
                    log.add(report, plan.task.action_repeat)
                summary = self._finish(bool(interrupted))
        return RunResult(plan.folder, self.path, summary, bool(interrupted))

    def _until_spent(self, runtime: ProcessRuntime | SerialRuntime, interrupted: list[int]) -> None:
        plan, log = self.plan, self.log
        live = LiveReading(plan.folder)
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
        if minutes is None and options.frames is None:
            minutes = DEFAULT_MINUTES
        if minutes is not None:
            total = 60 * minutes
            shares.append((log.session_seconds / total if total else 1.0, total - log.session_seconds))
        if options.frames is not None:
            done = log.frames - log.first_frames
            left = log.session_seconds * (options.frames - log.frames) / done if done else None
            shares.append((log.frames / options.frames if options.frames else 1.0, left))
        return max(shares, key=lambda item: item[0])

    def checkpoint(self) -> Checkpoint:
        """The agent as of now."""
        plan = self.plan
        with _held(self.store.lock):
            parameters = self.store.parameters.clone()
            statistics = {name: part.clone() for name, part in self.store.optimizer.statistics.items()}
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
            "workers": plan.options.workers,
            "interrupted": interrupted,
            **self.log.summary(),
        }


def _plan(options: TrainOptions, task: Task | None) -> _Plan:
    """Checks the options, reads what they name, makes the run's folder.

    Raises:
        InputError: as `train`.
    """
    if options.workers < 1:
        raise InputError(f"--workers {options.workers}: expected at least 1")
    if options.minutes is not None and not 0 <= options.minutes < float("inf"):
        raise InputError(f"--minutes {options.minutes}: expected 0 or more")
    if options.frames is not None and options.frames < 0:
        raise InputError(f"--frames {options.frames}: expected 0 or more")
    if options.seed is not None and not 0 <= options.seed < 2**63:
        raise InputError(f"--seed {options.seed}: expected within [0, 2**63)")
    preset(options.preset)
    named = TaskOptions(task=options.task, maze_file=options.maze_file, geometry=options.geometry)
    size = options.settings.observation_size
    if options.resume is not None:
        path = checkpoint_path(options.resume)
        earlier = load_checkpoint(path)
        for option, given, found in (
            ("--agent", options.agent, earlier.agent_name),
            ("--task", options.task, earlier.task.name),
            ("--seed", options.seed, earlier.seed),
            ("--backend", options.backend, earlier.backend),
        ):
            if given is not None and given != found:
                raise InputError(f"{option} {given}: {path} was trained with {found}; leave the option out to go on with it")
        if options.maze_file is not None:
            raise InputError(f"--maze-file {options.maze_file}: {path} brings its own maze; leave the option out")
        if size != earlier.task.observation_size:
            raise InputError(f"--observation-size {size}: {path} was trained with {earlier.task.observation_size}")
        folder = options.run_dir or path.parent
        plan = _Plan(options, earlier.agent_name, earlier.task, earlier.backend, earlier.seed, folder, earlier)
    else:
        name = options.agent or DEFAULT_AGENT
        agent_config(name)
        if task is None:
            task = (named if named.given else dataclasses.replace(named, task=DEFAULT_TASK)).make(size)
        seed = 1 if options.seed is None else options.seed
        folder = options.run_dir or Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{task.name}-{name}-seed{seed}"
        if (folder / CHECKPOINT).exists():
            raise InputError(f"--run-dir {folder} holds a run already: give another folder, or --resume {folder}")
        plan = _Plan(options, name, task, options.backend or "embedded", seed, folder, None)
    # What the rules need of the mazes, and the backend of this machine, is told here, not by a worker that dies of it.
    make_batch(plan.task, 1, backend=plan.backend).close()
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the run's folder {plan.folder}: {error.strerror}") from error
    return plan


def checkpoint_path(place: Path) -> Path:
    """The checkpoint of a run's folder, or the file itself."""
    return place / CHECKPOINT if place.is_dir() else place


def _write_config(plan: _Plan) -> None:
    write_json(
        plan.folder / "config.json",
        {
            "agent": plan.agent_name,
            "agent_config": dataclasses.asdict(agent_config(plan.agent_name)),
            "task": plan.task.name,
            "mazes": [maze.digest for maze in plan.task.mazes[:100]],
            "backend": plan.backend,
            "preset": plan.options.preset,
            "settings": dataclasses.asdict(plan.config),
            "seed": plan.seed,
            "workers": plan.options.workers,
            "sessions": plan.sessions + 1,
            "versions": library_versions(),
        },
    )


@contextmanager
def _held(lock: Any) -> Iterator[None]:
    """Holds the store's lock, but never waits for ever: a worker that was killed may have taken it along."""
    if lock is None:
        yield
        return
    taken = lock.acquire(timeout=2.0)
    try:
        yield
    finally:
        if taken:
            lock.release()


@contextmanager
def _interruptible() -> Iterator[list[int]]:
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


def default_options(arguments: list[str]) -> TrainOptions:
    """The options' defaults: the settings are the preset's, or those of the checkpoint to go on with."""
    values: dict[str, str] = {}
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in ("--preset", "--resume"):
            values[name] = value if equals else "".join(arguments[position + 1 : position + 2])
    if values.get("--resume"):
        earlier = load_checkpoint(checkpoint_path(Path(values["--resume"])))
        return TrainOptions(settings=earlier.config, preset=earlier.preset)
    name = values.get("--preset", "fast")
    return TrainOptions(settings=preset(name), preset=name) if name in PRESETS else TrainOptions()


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


@one_line_errors
def main() -> int:
    """The command."""
    arguments = sys.argv[1:]
    result = train_or_explain(parse_options(TrainOptions, arguments, default=default_options(arguments)))
    if result is None:
        return 1
    print(f"checkpoint: {result.checkpoint}")
    print(f"go on with: python -m experiments.train --resume {result.folder}")
    return 130 if result.interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
