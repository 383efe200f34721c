"""A worker's chunk: acting in a batch of worlds, and everything the losses need to know about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.model import AgentModel
from agents.networks import Inputs, State, keep_state
from auxiliary.loss import Recorder
from env.batch import BatchEnv
from env.task import NUM_ACTIONS


class StoppedError(Exception):
    """The worker was asked to stop in the middle of a chunk."""


@dataclass
class Rollout:
    """A chunk of T steps of N worlds, allocated once and overwritten by the next.

    Attributes:
        inputs: what the agent perceived, [T, N, ...].
        starts: [T, N] bool, an episode begins with this observation.
        state: [N, ...] what the core remembered before the first step; rows of `starts[0]` hold zeros.
        action: [T, N] int64.
        log_probability: [T, N] float32, of the action.
        value: [T, N] float32, of the observation.
        next_value: [T, N] float32, of the observation after the step, in the same episode.
        reward: [T, N] float32, of the step.
        ended: [T, N] bool, the episode ended with the step.
        targets: [T, N, ...] by auxiliary loss.
    """

    inputs: Inputs
    starts: Tensor
    state: State
    action: Tensor
    log_probability: Tensor
    value: Tensor
    next_value: Tensor
    reward: Tensor
    ended: Tensor
    targets: dict[str, Tensor]


def allocate(T: int, N: int, size: int, channels: int, recorders: Mapping[str, Recorder], state: State) -> Rollout:
    """A rollout of zeros."""
    flat = lambda dtype=torch.float32: torch.zeros(T, N, dtype=dtype)  # noqa: E731
    inputs = Inputs(
        torch.zeros(T, N, size, size, channels, dtype=torch.uint8),
        torch.zeros(T, N, 6),
        flat(),
        torch.zeros(T, N, NUM_ACTIONS),
    )
    targets = {name: torch.zeros(T, N, *part.shape, dtype=part.dtype) for name, part in recorders.items()}
    return Rollout(inputs, flat(torch.bool), state, flat(torch.int64), flat(), flat(), flat(), flat(), flat(torch.bool), targets)


@dataclass
class Finished:
    """An episode that ran its full time: its return and the goals it reached."""

    episode_return: float
    goals: int


class Actor:
    """Acts in a batch of worlds, chunk by chunk, and carries memory, last action and last reward from one to the next.

    Args:
        stagger: whether the first episodes of the rows are cut short by whole chunks, evenly, so that later ones don't all end
            together.
    """

    def __init__(self, env: BatchEnv, model: AgentModel, chunk: int, random: np.random.Generator, stagger: bool = True) -> None:
        self.env = env
        self.model = model
        self.random = random
        self.chunk = chunk
        N = env.num_envs
        size = env.task.observation_size
        made = {name: loss.recorder(N) for name, loss in model.auxiliary.items()}
        self.recorders = {name: recorder for name, recorder in made.items() if recorder is not None}
        self.state = model.network.initial_state(N)
        channels = 4 if model.agent.depth_input else 3
        self.rollout = allocate(chunk, N, size, channels, self.recorders, self.state)
        self.present = Inputs(
            torch.zeros(N, size, size, channels, dtype=torch.uint8),
            torch.zeros(N, 6),
            torch.zeros(N),
            torch.zeros(N, NUM_ACTIONS),
        )
        self.starts = np.ones(N, np.bool_)
        self.returns = np.zeros(N)
        self.goals = np.zeros(N, np.int64)
        # A row whose first episode is cut is not reported.
        self.whole = np.ones(N, np.bool_)
        chunks = env.task.episode_steps // chunk
        self.cuts = np.arange(N) * chunks // N if stagger and chunks > 1 else np.zeros(N, np.int64)
        self.chunks_done = 0

    def reset(self, seed: int, first_stream: int) -> None:
        """Starts episode 0 of every row; row i plays stream `first_stream` + i."""
        self.env.reset(seed, np.arange(self.env.num_envs) + first_stream)
        self.starts[:] = True
        self._observe()

    def _observe(self) -> None:
        """Takes the present observation over from the worlds."""
        seen = self.env.observation
        images = self.present.images.numpy()
        images[..., :3] = seen.rgb
        if images.shape[-1] == 4:
            assert seen.depth is not None
            images[..., 3] = seen.depth
        self.present.velocity.numpy()[:] = seen.velocity

    @torch.no_grad()
    def run(self, stopping: Callable[[], bool] = lambda: False) -> tuple[Rollout, list[Finished]]:
        """Acts for a chunk with the model's present parameters.

        Returns:
            The rollout, overwritten by the next call, and the episodes that ended in it.

        Raises:
            StoppedError: `stopping` said so before the chunk was full.
        """
        rollout, env, network, present = self.rollout, self.env, self.model.network, self.present
        N = env.num_envs
        rows = torch.arange(N)
        finished: list[Finished] = []
        draws = torch.from_numpy(self.random.random((self.chunk, N, 1), np.float32))
        for t in range(self.chunk):
            if stopping():
                raise StoppedError
            starts = torch.from_numpy(self.starts)
            if self.starts.any():
                self.state = keep_state(self.state, starts)
                present.reward[starts] = 0
                present.action[starts] = 0
            if t == 0:
                rollout.state = self.state
            for place, values in zip(_parts(rollout.inputs), _parts(present), strict=True):
                place[t] = values
            rollout.starts[t] = starts
            for name, recorder in self.recorders.items():
                recorder.record(env, self.starts, rollout.targets[name][t].numpy())
            outputs, self.state = network.step(present, self.state)
            log_policy = outputs.logits.log_softmax(1)
            action = choose(log_policy, draws[t])
            rollout.action[t] = action
            rollout.log_probability[t] = log_policy[rows, action]
            rollout.value[t] = outputs.value
            if t > 0:
                rollout.next_value[t - 1] = torch.where(rollout.ended[t - 1], rollout.next_value[t - 1], outputs.value)
            env.step(action.numpy())
            outcome = env.outcome
            rollout.reward[t] = torch.from_numpy(outcome.reward)
            present.reward.copy_(rollout.reward[t])
            present.action.zero_().scatter_(1, action.unsqueeze(1), 1)
            self._observe()
            self.returns += outcome.reward
            self.goals += outcome.goals
            ended = outcome.truncated.copy()
            if t == self.chunk - 1:
                ended |= self._cut()
            self._end(t, ended, finished)
        self.chunks_done += 1
        return rollout, finished

    def _cut(self) -> np.ndarray:
        """[N] bool, the rows whose first episode is cut now, to stagger the starts."""
        cut = self.cuts == self.chunks_done + 1
        self.whole[cut] = False
        return cut

    def _end(self, t: int, ended: np.ndarray, finished: list[Finished]) -> None:
        """Ends the episodes of `ended` [N] bool after step t, and starts the next ones."""
        last = t == self.chunk - 1
        self.rollout.ended[t] = torch.from_numpy(ended)
        if last or ended.any():
            # The value of an episode's last observation; after the chunk's last step, also of those that go on.
            outputs, _ = self.model.network.step(self.present, self.state)
            self.rollout.next_value[t] = outputs.value
        self.starts[:] = ended
        if not ended.any():
            return
        for row in np.flatnonzero(ended):
            if self.whole[row]:
                finished.append(Finished(float(self.returns[row]), int(self.goals[row])))
        self.whole[ended] = True
        self.returns[ended] = 0
        self.goals[ended] = 0
        self.env.reset_rows(ended)
        self._observe()


def choose(log_policy: Tensor, uniforms: Tensor) -> Tensor:
    """Actions [N] int64 drawn from log-probabilities [N, 8] by inversion, with uniforms [N, 1] in [0, 1)."""
    below = log_policy.exp().cumsum(1) <= uniforms
    return below.sum(1).clamp_(max=log_policy.shape[1] - 1)


def _parts(inputs: Inputs) -> tuple[Tensor, ...]:
    return inputs.images, inputs.velocity, inputs.reward, inputs.action
