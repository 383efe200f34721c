"""What a GPU does without the host, done on the CPU: the same as the path that looks at its tensors, and fit for a CUDA graph."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from agents.actor import Actor, ActorSettings
from agents.config import AGENTS, PRESETS, TrainConfig
from agents.cuda_graphs import as_it_is
from agents.episode_stats import ends_inside
from agents.learning.learner import Learner
from agents.learning.parameter_store import ParameterStore
from agents.model import AgentModel, FlatParameters
from agents.networks.lstm import use_masks
from agents.rng import NumpyStream
from agents.runtime.worker import Worker, WorkerSpec
from env.backends import make_batch
from env.batch import Arrays, BatchEnv, Outcome
from env.registry import make_task
from tests.agents.worlds import WALKERS, CountingEnv, counting_task

N = 4
SHORTER = np.array([0, 3, 7, 14])
CONFIG = TrainConfig(num_envs=N, unroll_length=10, precision="float32")
"""In half precision, what rounds elsewhere can be a last digit apart, and that is much."""


def draws(seed: int) -> NumpyStream:
    return NumpyStream(np.random.SeedSequence(seed))


def make(capture, config: TrainConfig, agent: str, env: BatchEnv, stagger: bool = False):
    """An actor and a learner of their own parameters, the same ones at every call."""
    torch.manual_seed(0)
    model = AgentModel(AGENTS[agent], env.task.spec(), config)
    if capture is not None:
        use_masks(model, ends_inside(env.spec, config.unroll_length))
    flat = FlatParameters(model)
    store = ParameterStore(config, flat)
    actor = Actor(env, model, ActorSettings(config.unroll_length, stagger), draws(1), capture)
    actor.reset(3, 0)
    return actor, Learner(model, flat, store, config, draws(2), capture), store


def counting(agent: str, kind: type[CountingEnv] = CountingEnv, chunk: int = CONFIG.unroll_length) -> CountingEnv:
    """Where whole chunks make an episode, the rows' first episodes are shorter by whole chunks, as `Actor` cuts them."""
    task = counting_task()
    model = AgentModel(AGENTS[agent], task.spec(), CONFIG)
    shorter = SHORTER if ends_inside(task.spec(), chunk) else SHORTER // chunk * chunk
    return kind(task, N, observe=model.observe, shorter=shorter)


def engine(agent: str, config: TrainConfig) -> BatchEnv:
    task = dataclasses.replace(make_task("static-small", observation_size=42), episode_seconds=1)
    model = AgentModel(AGENTS[agent], task.spec(), config)
    return make_batch(task, N, observe=model.observe)


def assert_same_chunks(one, other, chunks: int) -> None:
    """Both act and learn; whatever they record, tell and learn is the same."""
    for _ in range(chunks):
        rollouts, finished, told = [], [], []
        for actor, learner, store in (one, other):
            store.pull(learner.flat.values)
            rollout, ended = actor.run()
            rollouts.append(rollout)
            finished.append(sorted(ended, key=lambda episode: (episode.episode_return, episode.steps)))
            told.append(learner.learn(rollout).metrics())
        for field in ("starts", "action", "reward", "ended"):
            assert torch.equal(*(getattr(rollout, field) for rollout in rollouts)), field
        for field in ("log_prob", "value", "next_value"):
            torch.testing.assert_close(*(getattr(rollout, field) for rollout in rollouts), rtol=1e-4, atol=1e-5)
        for field in ("image", "vector", "reward", "action"):
            assert torch.equal(*(getattr(rollout.inputs, field) for rollout in rollouts)), field
        torch.testing.assert_close(*(rollout.state for rollout in rollouts), rtol=1e-4, atol=1e-5)
        for name, target in rollouts[0].targets.items():
            assert torch.equal(target, rollouts[1].targets[name]), name
        assert finished[0] == finished[1]
        assert dict(told[0].means) == pytest.approx(dict(told[1].means), rel=1e-3, abs=1e-5)
        assert told[0].sums.keys() == told[1].sums.keys()
        torch.testing.assert_close(one[2].parameters, other[2].parameters, rtol=1e-3, atol=2e-5)
        # Rounding is not to add up over chunks.
        other[2].parameters.copy_(one[2].parameters)
        for name, part in one[2].optimizer.statistics.items():
            other[2].optimizer.statistics[name].copy_(part)


@pytest.mark.parametrize("chunk", [1, 3, 4, 5, 15, 40])
def test_masks_do_what_looking_does(chunk):
    """Ends inside chunks, at their edges, several in one chunk; episodes have 15 steps, and rows end at different times."""
    config = dataclasses.replace(CONFIG, unroll_length=chunk, epochs=1)
    pair = [make(capture, config, "nav-d1d2l", counting("nav-d1d2l", chunk=chunk)) for capture in (None, as_it_is)]
    assert_same_chunks(*pair, chunks=max(2, min(12, 32 // chunk)))


@pytest.mark.parametrize(
    ("agent", "preset", "changes"),
    [
        ("nav-d1d2l", "fast", {}),
        ("nav-rd2", "fast", {"minibatches": 3}),
        ("nav-rgbd", "fast", {"epochs": 1}),
        ("lstm", "paper", {"observation_size": 42}),
        ("ff", "fast", {"unroll_length": 20}),
        ("nav-d2", "fast", {"depth_form": "regression"}),
    ],
)
def test_masks_do_what_looking_does_in_the_engine(agent, preset, changes):
    config = dataclasses.replace(PRESETS[preset], **{"num_envs": N, "unroll_length": 5, "precision": "float32"} | changes)
    pair = [make(capture, config, agent, engine(agent, config), stagger=True) for capture in (None, as_it_is)]
    assert_same_chunks(*pair, chunks=4)


class Tape(TorchDispatchMode):
    """Stands in for a CUDA graph: records operations, and does them again on the very same tensors without their Python."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = str(func)
        assert not any(part in name for part in ("_local_scalar_dense", "nonzero", "masked_select", "unique", "rand")), name
        self.calls.append((func, args, kwargs or {}, result))
        return result

    def play(self) -> None:
        for func, args, kwargs, result in self.calls:
            again = func(*args, **kwargs)
            for place, values in zip(flat(result), flat(again), strict=True):
                if place.data_ptr() != values.data_ptr():
                    place.copy_(values)


def flat(result) -> list[torch.Tensor]:
    if isinstance(result, torch.Tensor):
        return [result]
    return [part for item in result for part in flat(item)] if isinstance(result, tuple | list) else []


class Taped:
    """A `Capture`: does the work once as it comes, once more onto a tape, and from then on only plays the tape."""

    tape: Tape | None = None

    def __init__(self, work) -> None:
        self.work, self.calls = work, 0
        self.own = Tape()

    def __call__(self):
        self.calls += 1
        if self.calls == 1:
            return self.work()
        if self.calls == 2:
            Taped.tape = self.own
            with self.own:
                self.result = self.work()
            Taped.tape = None
        else:
            with torch.no_grad():
                self.own.play()
        return self.result


class TapedEnv(CountingEnv):
    """Its steps are recorded too, as the engine's kernels are."""

    def step(self, actions: npt.ArrayLike) -> Arrays:
        if Taped.tape is not None:
            Taped.tape.calls.append((lambda: super(TapedEnv, self).step(actions), (), {}, None))
        return super().step(actions)

    def reset_rows(self, rows: npt.ArrayLike) -> Arrays:
        if Taped.tape is not None:
            Taped.tape.calls.append((lambda: super(TapedEnv, self).reset_rows(rows), (), {}, None))
        return super().reset_rows(rows)


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
@pytest.mark.parametrize("chunk", [4, 5])
@pytest.mark.parametrize("agent", ["nav-d1d2l", "nav-r", "nav-rgbd"])
def test_a_recording_of_a_chunk_is_good_for_every_chunk(agent, chunk):
    """Replayed operations do what the Python did: nothing depends on Python's state, or on what a tensor held when recorded."""
    config = dataclasses.replace(CONFIG, unroll_length=chunk, epochs=1)
    one = make(as_it_is, config, agent, counting(agent, chunk=chunk))
    other = make(Taped, config, agent, counting(agent, TapedEnv, chunk))
    # The CPU's own kernel of an LSTM leaves nothing for a backward when it is called again outside of autograd.
    with torch.backends.mkldnn.flags(enabled=False):
        assert_same_chunks(one, other, chunks=7)
    captured = other[0]._captured
    assert isinstance(captured, Taped)
    assert captured.calls == 7


class DistantEnv(BatchEnv):
    """Worlds whose arrays hold nothing that could be read, as those of a GPU can't be read without waiting."""

    def __init__(self, task, num_envs, *, observe=("rgb", "velocity")) -> None:
        self.task, self.num_envs, self.spec = task, num_envs, task.spec()

        def zeros(dtype: str, *shape: int) -> Any:
            return torch.zeros(num_envs, *shape, dtype=getattr(torch, dtype), device="meta")

        self.observation = {name: zeros(array.dtype, *array.shape) for name, array in self.spec.observed(observe).items()}
        self.outcome = Outcome(
            zeros("float32"), zeros("bool"), zeros("bool"), {name: zeros("int32") for name in self.spec.statistics}
        )
        self.privileged = {name: zeros(array.dtype, *array.shape) for name, array in self.spec.privileged.items()}

    def reset(self, seed: int, streams: Any = None) -> Arrays:
        return self.observation

    def step(self, actions: Any) -> Arrays:
        assert actions.device.type == "meta"
        assert actions.dtype == torch.int64
        return self.observation

    def reset_rows(self, rows: Any) -> Arrays:
        assert rows.device.type == "meta"
        assert rows.dtype == torch.bool
        return self.observation

    def close(self) -> None:
        pass


class DistantDraws:
    def __init__(self, seed, device) -> None:
        self.device = device

    def uniforms(self, out) -> None:
        out.uniform_()

    def order(self, count):
        return torch.rand(count, device=self.device).argsort()

    def state_dict(self):
        return {}

    def load_state_dict(self, state) -> None:
        pass


class NothingCrosses(TorchDispatchMode):
    """Refuses operations between tensors of the host and of the device; single numbers may enter, as they do a kernel."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = [part for part in (*args, *(kwargs or {}).values()) for part in flat(part)]
        places = {part.device.type for part in found if part.dim() > 0 or "copy" in str(func)}
        assert len(places) <= 1, (func, [(part.device, part.shape) for part in found])
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("agent", WALKERS)
@pytest.mark.parametrize(
    "changes",
    [{}, {"objective": "actor-critic", "optimizer": "rmsprop", "sum_over_time": True, "depth_form": "regression", "epochs": 1}],
)
def test_nothing_crosses_to_the_host_within_a_round(monkeypatch, agent, changes):
    """Tensors of the device "meta" have no contents: whoever asks for them, or mixes them with the host's, gets an error."""
    monkeypatch.setattr("agents.runtime.worker.TorchStream", DistantDraws)
    config = dataclasses.replace(CONFIG, **changes)
    store = ParameterStore(config, FlatParameters(AgentModel(AGENTS[agent], counting_task().spec(), config)), device="meta")
    worker = Worker(WorkerSpec(AGENTS[agent], config, counting_task(), DistantEnv, 0, 0), store, as_it_is)
    with NothingCrosses():
        for _ in range(2):
            worker.store.pull(worker.flat.values)
            worker.actor.act()
            told = worker.learner.learn(worker.actor.rollout)
    assert len(told.gradients) == config.epochs * config.minibatches
    assert told.gradients[0].shape == (len(told.keys),)
    assert worker.actor.episodes.record.device.type == "meta"


def test_a_device_is_asked_where_nothing_is_masked():
    """The error that the test above relies on."""
    config, agent = CONFIG, AGENTS["nav"]
    model = AgentModel(agent, counting_task().spec(), config).to("meta")
    actor = Actor(DistantEnv(counting_task(), N), model, ActorSettings(4), DistantDraws(0, "meta"))
    with pytest.raises(RuntimeError, match="meta"):
        actor.act()
