"""Trains an agent: workers on shared parameters until a budget is spent, with callbacks for logs, checkpoints and analysis."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agents.checkpoint import Checkpoint, library_versions
from agents.cluster.settings import ClusterSettings
from agents.config import AgentConfig, TrainConfig
from agents.learning.parameter_store import ParameterStore
from agents.learning.population_store import PopulationStore
from agents.model import FlatParameters
from agents.runtime.runtime import Runtime, WithFigures, make_population, make_runtime, make_store, runtime_name
from agents.runtime.worker import Report, WorkerSpec, initial_model
from agents.state import State
from env.backends import make_batch
from env.batch import WorldSpec
from maze_gen.errors import InputError

POLL_SECONDS = 0.2
STATE_SECONDS = 3.0
"""How long a save waits for the workers to be between two rounds."""


@dataclass(frozen=True)
class Training:
    """What is trained, and where.

    Attributes:
        agent_name: what the agent is called.
        agent: what it is made of.
        config: how it learns.
        preset: what the settings started from.
        task: of any domain.
        backend: of the task's domain; its first one without it.
        seed: of everything random.
        workers: processes, or streams of a GPU.
        device: where everything is computed.
        serial: whether all workers run in this process, one after the other; on a GPU, without CUDA graphs.
        earlier: the checkpoint to go on with.
        cluster: on whose nodes the workers run, as processes, at most `workers` of them.
    """

    agent_name: str
    agent: AgentConfig
    config: TrainConfig
    preset: str
    task: Any
    backend: str
    seed: int
    workers: int
    device: Literal["cpu", "cuda"] = "cpu"
    serial: bool = False
    earlier: Checkpoint | None = None
    cluster: ClusterSettings | None = None

    @property
    def sessions(self) -> int:
        """How often it was started or resumed before."""
        return self.earlier.sessions if self.earlier else 0


@dataclass(frozen=True)
class Budget:
    """How long to train; it ends with whichever is spent first.

    Attributes:
        minutes: of this session.
        total_minutes: of all sessions together.
        frames: environment frames of all sessions together.
    """

    minutes: float | None = None
    total_minutes: float | None = None
    frames: int | None = None

    def spent(self, progress: "Progress") -> tuple[float, float | None]:
        """(fraction of the budget that is spent, seconds left where they can be estimated)."""
        fractions: list[tuple[float, float | None]] = [(0.0, None)]
        for minutes, seconds in ((self.minutes, progress.session_seconds), (self.total_minutes, progress.seconds)):
            if minutes is not None:
                fractions.append((seconds / (60 * minutes) if minutes else 1.0, 60 * minutes - seconds))
        if self.frames is not None:
            done = progress.frames - progress.first_frames
            left = progress.session_seconds * (self.frames - progress.frames) / done if done else None
            fractions.append((progress.frames / self.frames if self.frames else 1.0, left))
        return max(fractions, key=lambda item: item[0])


class Progress:
    """How far a training is.

    Attributes:
        frames: environment frames, of all sessions.
        first_frames: those of earlier sessions.
        fraction: of the budget that is spent.
        seconds_left: where they can be estimated.
    """

    def __init__(self, frames: int, earlier_seconds: float) -> None:
        self.frames = self.first_frames = frames
        self.earlier_seconds = earlier_seconds
        self.begin = time.monotonic()
        self.fraction = 0.0
        self.seconds_left: float | None = None

    @property
    def session_seconds(self) -> float:
        return time.monotonic() - self.begin

    @property
    def seconds(self) -> float:
        """That the training has taken, over all sessions."""
        return self.earlier_seconds + self.session_seconds


class Callback:
    """What else happens while an agent trains; every method may stay as it is."""

    def state(self) -> dict[str, Any]:
        """What it needs to go on with when the training is resumed, as JSON by its own names."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from the states of all callbacks; empty in a new training."""

    def start(self, trainer: "Trainer") -> None:
        """Before the first worker starts."""

    def report(self, trainer: "Trainer", report: Report) -> None:
        """After every round of a worker."""

    def tick(self, trainer: "Trainer") -> None:
        """Several times a second."""

    def stop(self, trainer: "Trainer") -> None:
        """When workers are to end, while they still run."""

    def finish(self, trainer: "Trainer") -> None:
        """After the last report, also where the training ended with an error."""


class Trainer:
    """A training: its model, the parameters that the workers share, and how far it is.

    Attributes:
        training: what is trained.
        budget: how long.
        model: an agent of this kind; its parameters are the initial ones, `checkpoint` has the present ones.
        progress: how far it is.
        store: the parameters.
    """

    def __init__(self, training: Training, budget: Budget, callbacks: Sequence[Callback] = ()) -> None:
        """Makes the model, or restores the earlier checkpoint.

        Raises:
            InputError: the agent doesn't fit the worlds, or the checkpoint doesn't fit the agent.
        """
        self.training, self.budget, self.callbacks = training, budget, tuple(callbacks)
        earlier = training.earlier
        spec = training.task.spec()
        self.model = earlier.model() if earlier else initial_model(training.agent, spec, training.config, training.seed)
        self._frames_per_step = spec.frames_per_step
        self._flat = FlatParameters(self.model)
        self._runtime = "cluster" if training.cluster else runtime_name(training.device, training.serial)
        self.store = self._make_store(spec)
        if earlier:
            earlier.restore(self.store, self._flat)
        self._running: Runtime | None = None
        self.progress = Progress(earlier.frames if earlier else 0, earlier.seconds if earlier else 0.0)
        for callback in self.callbacks:
            callback.restore(earlier.log if earlier else {})

    def train(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Trains until the budget is spent, or `stopping` returns True. Workers end with it, whatever happens.

        Raises:
            WorkerError: a worker died or raised.
            InputError: the cluster can't be used.
        """
        # Before anything is saved: a cluster that can't be used leaves no run behind.
        ahead = self._start() if self.training.cluster and not self._update() else None
        self.progress.begin = time.monotonic()
        try:
            self._each("start")
            try:
                if not self._update():
                    self._run(stopping, ahead or self._start())
            finally:
                self._each("finish")
        finally:
            if ahead is not None:
                ahead.stop()

    def checkpoint(self, with_workers: bool = False) -> Checkpoint:
        """The agent as of now.

        Args:
            with_workers: whether the workers' states are in it too, so that a resumed training goes on where they were.
        """
        training = self.training
        workers = self._worker_states() if with_workers else {}
        parameters, statistics = self.store.snapshot()
        return Checkpoint(
            agent_name=training.agent_name,
            agent=training.agent,
            config=training.config,
            preset=training.preset,
            task=training.task,
            backend=training.backend,
            seed=training.seed,
            frames=self.progress.frames,
            seconds=self.progress.seconds,
            sessions=training.sessions + 1,
            parameters=self._flat.named(parameters),
            statistics=statistics,
            versions=library_versions(),
            workers=workers,
            log={name: state for callback in self.callbacks for name, state in callback.state().items()} if with_workers else {},
        )

    def _worker_states(self) -> dict[int, State]:
        """Of those workers that give one in time; before the first one starts, those of the earlier checkpoint."""
        if self._running is not None:
            return self._running.states(STATE_SECONDS)
        return dict(self.training.earlier.workers) if self.training.earlier else {}

    def figures(self) -> dict[str, float]:
        """What a cluster's exchanges were like since the last call (`agents.cluster.runtime.Figures`), and a population's present
        settings and scores; else nothing."""
        found = self._running.figures() if isinstance(self._running, WithFigures) else {}
        return found | (self.store.figures() if isinstance(self.store, PopulationStore) else {})

    def _make_store(self, spec: WorldSpec) -> ParameterStore:
        training, count = self.training, self.training.config.population
        if count == 1:
            return make_store(self._runtime, training.config, self._flat)
        if self._runtime not in ("processes", "serial"):
            raise InputError(f"population {count}: expected 1 on a GPU or on a cluster: members share this machine's memory")
        if training.workers < count:
            raise InputError(f"population {count}: expected {count} workers or more, one for each member, not {training.workers}")
        return make_population(training.agent, spec, training.config, training.seed)

    def _start(self) -> Runtime:
        if self.training.cluster is None:
            return make_runtime(self._runtime, self._specs(), self.store)
        # Imported where it is used: most trainings need no cluster.
        from agents.cluster.runtime import ClusterRuntime

        return ClusterRuntime(self._specs(), self.store, self.training.cluster)

    def _run(self, stopping: Callable[[], bool], runtime: Runtime) -> None:
        self._running = runtime
        try:
            while not stopping():
                self._take(runtime.poll(POLL_SECONDS))
                spent = self._update()
                self._each("tick")
                if spent:
                    return
        finally:
            # Also after an error: no worker outlives this, and what they had learned is kept.
            try:
                self._each("stop")
            finally:
                self._take(runtime.stop())

    def _specs(self) -> list[WorkerSpec]:
        training = self.training
        make_env = functools.partial(make_batch, backend=training.backend, device=training.device)
        return [
            WorkerSpec(
                training.agent,
                training.config,
                training.task,
                make_env,
                training.seed,
                index,
                training.sessions,
                state=self._earlier_states().get(index),
            )
            for index in range(training.workers)
        ]

    def _earlier_states(self) -> dict[int, State]:
        """The workers' states to go on from: those of the earlier checkpoint, where the same worlds are played alike."""
        earlier, config = self.training.earlier, self.training.config
        if earlier is None or self.training.device != "cpu" or earlier.config.num_envs != config.num_envs:
            return {}
        return dict(earlier.workers)

    def _take(self, reports: Sequence[Report]) -> None:
        for report in reports:
            self.progress.frames += report.steps * self._frames_per_step
            for callback in self.callbacks:
                callback.report(self, report)

    def _update(self) -> bool:
        """Brings progress and learning rate up to date; returns whether the budget is spent."""
        progress = self.progress
        progress.fraction, progress.seconds_left = self.budget.spent(progress)
        self.store.set_progress(progress.fraction)
        return progress.fraction >= 1

    def _each(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)
