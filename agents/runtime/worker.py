"""A worker: its own worlds, its own copy of the parameters, and the loop of pull, act, learn and push."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import psutil
import torch
from torch import Tensor

from agents.actor import Actor, ActorSettings
from agents.config import AgentConfig, TrainConfig
from agents.cuda_graphs import Capture
from agents.episode_stats import Episode, ends_inside
from agents.learning.learner import Learner, Metrics
from agents.learning.parameter_store import Store
from agents.model import AgentModel, FlatParameters
from agents.networks.lstm import use_masks
from agents.rng import NumpyStream, TorchStream
from agents.state import State, is_sound, join, part
from auxiliary.saved_state import copy_into
from env.batch import BatchEnv, TaskLike, WorldSpec
from env.tensors import TensorWorlds
from maze_gen.errors import InputError


@dataclass(frozen=True)
class WorkerSpec:
    """What makes a worker; it can be sent to another process.

    Attributes:
        make_env: makes (task, N) worlds that observe what `observe` names, as `env.backends.make_batch` does.
        seed: of the training.
        index: of the worker, from 0.
        sessions: how often the training was resumed; a session plays other episodes where `state` is missing.
        stagger: whether first episodes are cut short, evenly.
        state: of the worker (`Worker.state_dict`), to go on from.
        restarts: how often the worker was replaced in this session; each plays other episodes.
    """

    agent: AgentConfig
    config: TrainConfig
    task: TaskLike
    make_env: Callable[..., BatchEnv]
    seed: int
    index: int
    sessions: int = 0
    stagger: bool = True
    state: Mapping[str, Tensor] | None = None
    restarts: int = 0


@dataclass
class Report:
    """What a worker reports after a round.

    Attributes:
        worker: its index.
        steps: agent steps of the rollout.
        episodes: whole ones that ended in it.
        metrics: of the gradients.
        acting_seconds, learning_seconds: what the two halves took.
        memory_bytes: of the worker's process, resident.
    """

    worker: int
    steps: int
    episodes: list[Episode]
    metrics: Metrics = field(default_factory=Metrics)
    acting_seconds: float = 0.0
    learning_seconds: float = 0.0
    memory_bytes: int = 0


class Worker:
    """Acts and learns in its own worlds, on the device that they are on.

    Args:
        capture: records rollouts and gradients, which have no data-dependent control flow then (`Actor`); without it they look at
            what tensors hold where that saves work.
    """

    def __init__(self, spec: WorkerSpec, store: Store, capture: Capture | None = None) -> None:
        self.spec = spec
        self.store = store
        config = spec.config
        model = AgentModel(spec.agent, spec.task.spec(), config)
        self.env = spec.make_env(spec.task, config.num_envs, observe=model.observe)
        device = TensorWorlds(self.env).device
        self.model = model.to(device)
        if capture is not None:
            use_masks(self.model, ends_inside(self.env.spec, config.unroll_length))
        self.flat = FlatParameters(self.model)
        again = [spec.restarts] if spec.restarts else []
        acting, learning = np.random.SeedSequence([spec.seed, spec.sessions, spec.index, *again]).spawn(2)
        make_rng = lambda seed: NumpyStream(seed) if capture is None else TorchStream(seed, device)  # noqa: E731
        settings = ActorSettings(config.unroll_length, spec.stagger, config.precision)
        self.actor = Actor(self.env, self.model, settings, make_rng(acting), capture)
        self.learner = Learner(self.model, self.flat, store, config, make_rng(learning), capture)
        world_seed = int(np.random.SeedSequence([spec.seed, spec.sessions, *again]).generate_state(1, np.uint64)[0] >> 1)
        self.actor.reset(world_seed, spec.index * config.num_envs)
        self.rounds = torch.zeros((), dtype=torch.int64)
        if spec.state:
            self.load_state_dict(spec.state)
        self.process = psutil.Process(os.getpid())

    def run_round(self, stopping: Callable[[], bool] = lambda: False) -> Report:
        """One round: pulls the parameters, acts for a rollout, learns from it.

        Raises:
            StoppedError: `stopping` returned True while acting; the rollout is dropped.
        """
        begin = time.perf_counter()
        self.store.pull(self.flat.values)
        self.learner.config = self.store.tuned(self.spec.config)
        rollout, episodes = self.actor.run(stopping)
        middle = time.perf_counter()
        pending = self.learner.learn(rollout, stopping)
        end = time.perf_counter()
        self.rounds.add_(1)
        return Report(
            worker=self.spec.index,
            steps=rollout.reward.numel(),
            episodes=episodes,
            metrics=pending.metrics(),
            acting_seconds=middle - begin,
            learning_seconds=end - middle,
            memory_bytes=self.process.memory_info().rss,
        )

    def state_dict(self) -> State:
        """From which a worker goes on between two rounds; empty where its worlds can't be saved."""
        arrays = self.env.state_arrays()
        if arrays is None:
            return {}
        worlds = {name: torch.from_numpy(array) for name, array in arrays.items()}
        own = {"rounds": self.rounds.clone()}
        return join({"own": own, "worlds": worlds, "acting": self.actor.state_dict(), "learning": self.learner.state_dict()})

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continues from `state_dict`.

        Raises:
            InputError: it is the state of other worlds, or of another agent.
        """
        where = f"the saved state of worker {self.spec.index}"
        for name, value in state.items():
            if not is_sound(value):
                raise InputError(f"{where}: {name} holds numbers that aren't finite, or of an absurd size")
        try:
            copy_into({"rounds": self.rounds}, part(state, "own"))
            self.env.restore_state({name: value.numpy() for name, value in part(state, "worlds").items()})
            self.actor.load_state_dict(part(state, "acting"))
            self.learner.load_state_dict(part(state, "learning"))
        except KeyError as error:
            raise InputError(f"{where}: {error} is missing") from error
        except (ValueError, TypeError, RuntimeError) as error:
            raise InputError(f"{where}: {error}") from error

    def close(self) -> None:
        self.env.close()


def initial_model(agent: AgentConfig, spec: WorldSpec, config: TrainConfig, seed: int) -> AgentModel:
    """A model whose parameters are drawn from `seed`; torch's own random state stays as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return AgentModel(agent, spec, config)
