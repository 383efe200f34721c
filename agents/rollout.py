"""A worker's chunk: acting in a batch of worlds, and everything the losses need to know about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.cuda_graphs import Capture
from agents.episode_stats import EpisodeStats, FinalObservations, Finished, ends_inside, parts
from agents.model import AgentModel
from agents.networks.actor_critic import Inputs, State, keep_state
from agents.precision import Precision, products_in, resolve
from agents.rng import RandomStream
from auxiliary.loss import Recorder
from env.batch import BatchEnv
from env.navigation import NUM_ACTIONS
from env.tensors import TensorWorlds


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


def allocate(
    T: int,
    N: int,
    size: int,
    channels: int,
    recorders: Mapping[str, Recorder],
    state: State,
    device: torch.device | str = "cpu",
) -> Rollout:
    """A rollout of zeros; its state is a copy of `state`."""
    flat = lambda dtype=torch.float32: torch.zeros(T, N, dtype=dtype, device=device)  # noqa: E731
    inputs = Inputs(
        torch.zeros(T, N, size, size, channels, dtype=torch.uint8, device=device),
        torch.zeros(T, N, 6, device=device),
        flat(),
        torch.zeros(T, N, NUM_ACTIONS, device=device),
    )
    targets = {name: torch.zeros(T, N, *part.shape, dtype=part.dtype, device=device) for name, part in recorders.items()}
    return Rollout(
        inputs=inputs,
        starts=flat(torch.bool),
        state=tuple(part.clone() for part in state),
        action=flat(torch.int64),
        log_probability=flat(),
        value=flat(),
        next_value=flat(),
        reward=flat(),
        ended=flat(torch.bool),
        targets=targets,
    )


class Actor:
    """Acts in a batch of worlds, chunk by chunk, and carries memory, last action and last reward from one to the next.

    It works with tensors that stay where they are, on the device of the worlds. Without `capture` it looks at them where that
    saves work: episodes seldom end. With it, the chunk is the same work every time, decided by masks alone, and is made by what
    `capture` makes of it; where episodes end only with chunks, nothing is masked inside of them.

    Args:
        stagger: whether the first episodes of the rows are cut short by whole chunks, evenly, so that later ones don't all end
            together.
        precision: of matrix products.
    """

    def __init__(
        self,
        env: BatchEnv,
        model: AgentModel,
        chunk: int,
        draws: RandomStream,
        stagger: bool = True,
        capture: Capture | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.worlds = worlds = TensorWorlds(env)
        self.model = model
        self.draws = draws
        self.chunk = chunk
        self.masked = capture is not None
        self.products = resolve(precision, worlds.device)
        N, device = env.num_envs, worlds.device
        size = env.task.observation_size
        made = {name: loss.recorder(N, device, self.masked) for name, loss in model.auxiliary.items()}
        self.recorders = {name: recorder for name, recorder in made.items() if recorder is not None}
        self.state = model.network.initial_state(N)
        channels = 4 if model.agent.depth_input else 3
        self.rollout = allocate(chunk, N, size, channels, self.recorders, self.state, device)
        self.present = Inputs(
            torch.zeros(N, size, size, channels, dtype=torch.uint8, device=device)
            if channels == 4
            else worlds.observation["rgb"],
            worlds.observation["velocity"],
            torch.zeros(N, device=device),
            torch.zeros(N, NUM_ACTIONS, device=device),
        )
        self.starts = torch.ones(N, dtype=torch.bool, device=device)
        self.uniforms = torch.zeros(chunk, N, 1, device=device)
        chunks = env.task.episode_steps // chunk
        cuts = np.arange(N) * chunks // N if stagger and chunks > 1 else np.zeros(N, np.int64)
        self.cuts = torch.from_numpy(cuts).to(device)
        self.chunks_done = torch.zeros((), dtype=torch.int64, device=device)
        # The most episodes of a row that can end in a chunk.
        slots = (chunk - 1) // env.task.episode_steps + 1
        self.endings = EpisodeStats(N, device, slots)
        self.ends_inside = ends_inside(env.task, chunk)
        self.final_observations = FinalObservations(self.present, self.state, slots) if self.masked and self.ends_inside else None
        self._captured = capture(self._masked_chunk) if capture else None

    def reset(self, seed: int, first_stream: int) -> None:
        """Starts episode 0 of every row; row i plays stream `first_stream` + i."""
        self.worlds.env.reset(seed, np.arange(self.worlds.env.num_envs) + first_stream)
        self.starts.fill_(True)
        self._observe()

    def _observe(self) -> None:
        """Takes the present observation over from the worlds, where it isn't their own."""
        if self.present.images.shape[-1] == 4:
            self.present.images[..., :3] = self.worlds.observation["rgb"]
            self.present.images[..., 3] = self.worlds.observation["depth"]

    def run(self, stopping: Callable[[], bool] = lambda: False) -> tuple[Rollout, list[Finished]]:
        """Acts for a chunk with the model's present parameters.

        Returns:
            The rollout, overwritten by the next call, and the episodes that ended in it.

        Raises:
            StoppedError: `stopping` said so before the chunk was full.
        """
        self.act(stopping)
        return self.rollout, self.endings.finished()

    def act(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """As `run`, but on a GPU it waits for nothing: it leaves the rollout, and the episodes in `endings`, as they will be."""
        self.draws.uniforms(self.uniforms)
        if self._captured is not None:
            self._captured()
        else:
            self._chunk(stopping)

    def _masked_chunk(self) -> None:
        self._chunk(lambda: False)

    @torch.no_grad()
    def _chunk(self, stopping: Callable[[], bool]) -> None:
        # One context for all steps: weights are rounded once.
        with products_in(self.products, self.worlds.device):
            self._act_in_turn(stopping)

    def _act_in_turn(self, stopping: Callable[[], bool]) -> None:
        rollout, worlds, network, present = self.rollout, self.worlds, self.model.network, self.present
        state = self.state
        self.endings.begin_chunk()
        if self.final_observations:
            self.final_observations.begin_chunk()
        for t in range(self.chunk):
            if stopping():
                raise StoppedError
            if self._any(self.starts, at_edge=t == 0):
                state = keep_state(state, self.starts)
                present.reward.masked_fill_(self.starts, 0)
                present.action.masked_fill_(self.starts.unsqueeze(1), 0)
            if t == 0:
                _copy(rollout.state, state)
            for place, values in zip(parts(rollout.inputs), parts(present), strict=True):
                place[t] = values
            rollout.starts[t] = self.starts
            for name, recorder in self.recorders.items():
                recorder.record(worlds, self.starts, rollout.targets[name][t])
            outputs, state = network.step(present, state)
            log_policy = outputs.logits.log_softmax(1)
            action = choose(log_policy, self.uniforms[t])
            rollout.action[t] = action
            rollout.log_probability[t] = log_policy.gather(1, action.unsqueeze(1)).squeeze(1)
            rollout.value[t] = outputs.value
            if t > 0:
                rollout.next_value[t - 1] = torch.where(rollout.ended[t - 1], rollout.next_value[t - 1], outputs.value)
            worlds.step(action)
            rollout.reward[t] = worlds.reward
            present.reward.copy_(worlds.reward)
            present.action.zero_().scatter_(1, action.unsqueeze(1), 1)
            self._observe()
            self.endings.add(worlds.reward, worlds.statistics["goals"])
            self._end(t, state)
        if self.final_observations:
            self.final_observations.value(network, rollout.ended, rollout.next_value)
        _copy(self.state, state)
        self.chunks_done.add_(1)

    def _any(self, rows: Tensor, at_edge: bool) -> bool:
        """Whether any of `rows` [N] bool may be True, of episodes that start or end; `at_edge` of the chunk, or inside of it."""
        if self.masked:
            return at_edge or self.ends_inside
        return bool(rows.any())

    def _end(self, t: int, state: State) -> None:
        """Ends the episodes that are over after step t, and starts the next ones."""
        last = t == self.chunk - 1
        ended = self.rollout.ended[t]
        ended.copy_(self.worlds.truncated)
        if last:
            # Rows whose first episode is cut now, to stagger the starts; such an episode is not reported.
            cut = self.cuts == self.chunks_done + 1
            ended |= cut
            self.endings.drop(cut)
        some = self._any(ended, at_edge=last)
        if last or (some and not self.final_observations):
            # The value of an episode's last observation; after the chunk's last step, also of those that go on.
            outputs, _ = self.model.network.step(self.present, state)
            self.rollout.next_value[t] = outputs.value
        if self.final_observations:
            self.final_observations.keep(ended, self.present, state)
        self.starts.copy_(ended)
        if some:
            if self.masked:
                self.endings.close_masked(ended)
            else:
                self.endings.close(ended)
            self.worlds.reset_rows(ended)
            self._observe()


def choose(log_policy: Tensor, uniforms: Tensor) -> Tensor:
    """Actions [N] int64 drawn from log-probabilities [N, 8] by inversion, with uniforms [N, 1] in [0, 1)."""
    below = log_policy.exp().cumsum(1) <= uniforms
    return below.sum(1).clamp_(max=log_policy.shape[1] - 1)


def _copy(places: State, values: State) -> None:
    for place, part in zip(places, values, strict=True):
        place.copy_(part)
