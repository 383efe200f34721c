"""Records rollouts: an agent acts in a batch of worlds, rollout by rollout."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.acting import Acting
from agents.cuda_graphs import Capture
from agents.episode_stats import Episode, EpisodeStats, FinalObservations, ends_inside
from agents.model import AgentModel
from agents.networks.cores import State
from agents.precision import Precision, products_in, resolve
from agents.rng import RandomStream
from agents.rollout import Rollout, allocate
from agents.state import join, part
from auxiliary.saved_state import copy_into
from env.batch import BatchEnv
from env.tensors import TensorWorlds


class StoppedError(Exception):
    """The worker was asked to stop in the middle of a rollout."""


@dataclass(frozen=True)
class ActorSettings:
    """How an actor records rollouts.

    Attributes:
        unroll_length: T, agent steps of a rollout.
        stagger: whether the first episodes of the rows are cut short by whole rollouts, evenly, so that later ones don't all end
            together.
        precision: of matrix products.
    """

    unroll_length: int
    stagger: bool = True
    precision: Precision = "float32"


class Actor:
    """Acts in a batch of worlds, rollout by rollout, and carries memory, last action and last reward from one to the next.

    It works with tensors that stay where they are, on the device of the worlds. Without `capture` it looks at them where that
    saves work: episodes seldom end. With it there is no data-dependent control flow, so that `capture` can record a rollout as a
    CUDA graph; where episodes end only with rollouts, nothing is masked inside of them.
    """

    def __init__(
        self,
        env: BatchEnv,
        model: AgentModel,
        settings: ActorSettings,
        rng: RandomStream,
        capture: Capture | None = None,
    ) -> None:
        self.worlds = worlds = TensorWorlds(env)
        self.model = model
        self.rng = rng
        self.unroll_length = T = settings.unroll_length
        self.masked = capture is not None
        self.products = resolve(settings.precision, worlds.device)
        N, device, spec = env.num_envs, worlds.device, env.spec
        self.acting = Acting(model.network, worlds, training=True)
        made = {name: loss.recorder(N, device, self.masked) for name, loss in model.auxiliary.items()}
        self.recorders = {name: recorder for name, recorder in made.items() if recorder is not None}
        if model.rewarder is not None:
            self.recorders |= model.rewarder.recorders(N, device)
        self.state = model.network.initial_state(N)
        self.rollout = allocate(T, model.network, self.state, self.recorders, device, N)
        for name in model.rewarder.recorded if model.rewarder else ():
            values = worlds.privileged[name]
            self.rollout.recorded[name] = torch.zeros(T, *values.shape, dtype=values.dtype, device=device)
        self.terminates = spec.terminates
        # Both stay where they are; what has no entries is left out.
        pairs = zip(self.rollout.inputs.parts(), self.acting.present.parts(), strict=True)
        self._recorded = [(place, values) for place, values in pairs if values.numel()]
        self.uniforms = torch.zeros(T, N, self.acting.parts, device=device)
        rollouts = spec.episode_steps // T
        cuts = np.arange(N) * rollouts // N if settings.stagger and rollouts > 1 else np.zeros(N, np.int64)
        self.cuts = torch.from_numpy(cuts).to(device)
        self.rollouts_done = torch.zeros((), dtype=torch.int64, device=device)
        # The most episodes of a row that can be truncated in a rollout, and that can end in it.
        truncations = (T - 1) // spec.episode_steps + 1
        self.episodes = EpisodeStats(N, device, T if spec.terminates else truncations, list(spec.statistics))
        self.ends_inside = ends_inside(spec, T)
        finals = self.masked and self.ends_inside
        self.final_observations = FinalObservations(self.acting.present, self.state, truncations) if finals else None
        self._captured = capture(self._masked_rollout) if capture else None

    def reset(self, seed: int, first_stream: int) -> None:
        """Starts episode 0 of every row; row i plays stream `first_stream` + i."""
        self.worlds.env.reset(seed, np.arange(self.worlds.env.num_envs) + first_stream)
        self.acting.starts.fill_(True)
        self.acting.observe()

    def run(self, stopping: Callable[[], bool] = lambda: False) -> tuple[Rollout, list[Episode]]:
        """Acts for a rollout with the model's present parameters.

        Returns:
            The rollout, overwritten by the next call, and the whole episodes that ended in it.

        Raises:
            StoppedError: `stopping` returned True before the rollout was full.
        """
        self.act(stopping)
        return self.rollout, self.episodes.finished()

    def act(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """As `run`, but on a GPU it waits for nothing: it leaves the rollout, and the record of episodes, as they will be."""
        self.rng.uniforms(self.uniforms)
        if self._captured is not None:
            self._captured()
        else:
            self._record(stopping)

    def state_dict(self) -> dict[str, Tensor]:
        """Memory, last action and reward, episode statistics, targets' history and random numbers, between two rollouts."""
        own = {name: value.cpu().clone() for name, value in self._tensors().items()}
        recorders = join({name: recorder.state_dict() for name, recorder in self.recorders.items()})
        return join({"actor": own, "recorder": recorders, "rng": self.rng.state_dict()})

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continues from `state_dict`; the worlds are restored on their own, before.

        Raises:
            InputError: it is the state of another number of worlds, or of another agent.
        """
        copy_into(self._tensors(), part(state, "actor"))
        for name, recorder in self.recorders.items():
            recorder.load_state_dict(part(part(state, "recorder"), name))
        self.rng.load_state_dict(part(state, "rng"))
        self.acting.observe()

    def _tensors(self) -> dict[str, Tensor]:
        acting = self.acting
        return {
            **{f"core {index}": value for index, value in enumerate(self.state)},
            "reward": acting.present.reward,
            "action": acting.present.action,
            "starts": acting.starts,
            "rollouts done": self.rollouts_done,
            "episodes": self.episodes.sums,
        }

    def _masked_rollout(self) -> None:
        self._record(lambda: False)

    @torch.no_grad()
    def _record(self, stopping: Callable[[], bool]) -> None:
        # One context for all steps: weights are rounded once.
        with products_in(self.products, self.worlds.device):
            self._steps(stopping)

    def _steps(self, stopping: Callable[[], bool]) -> None:
        rollout, worlds, acting = self.rollout, self.worlds, self.acting
        state = self.state
        self.episodes.begin_rollout()
        if self.final_observations:
            self.final_observations.begin_rollout()
        for t in range(self.unroll_length):
            if stopping():
                raise StoppedError
            if self._any(acting.starts, at_edge=t == 0):
                state = acting.forget(state)
            if t == 0:
                _copy(rollout.state, state)
            rollout.starts[t] = acting.starts
            for name, recorder in self.recorders.items():
                recorder.record(worlds, acting.starts, rollout.targets[name][t])
            decision = acting.decide(state, self.uniforms[t])
            state = decision.state
            # After the decision, which leaves what the core tracks.
            for place, values in self._recorded:
                place[t] = values
            rollout.action[t] = decision.action
            rollout.log_prob[t] = decision.distribution.log_prob(decision.action)
            value = decision.outputs.value
            rollout.value[t] = value
            if t > 0:
                rollout.next_value[t - 1] = torch.where(rollout.ended[t - 1], rollout.next_value[t - 1], value)
            worlds.step(decision.action)
            rollout.reward[t] = worlds.reward
            for name, place in rollout.recorded.items():
                place[t] = worlds.privileged[name]
            if self.terminates:
                rollout.terminated[t] = worlds.terminated
            acting.remember(decision.action)
            acting.observe()
            self.episodes.add(worlds.reward, worlds.statistics)
            self._end(t, state)
        if self.final_observations:
            truncated = rollout.ended & ~rollout.terminated
            self.final_observations.value(self.model.network, truncated, rollout.next_value)
        _copy(self.state, state)
        self.rollouts_done.add_(1)

    def _any(self, rows: Tensor, at_edge: bool) -> bool:
        """Whether any of `rows` [N] bool, of episodes that start or end, may be True; `at_edge` of the rollout, or inside."""
        if self.masked:
            return at_edge or self.ends_inside
        return bool(rows.any())

    def _end(self, t: int, state: State) -> None:
        """Ends the episodes that are over after step t, and starts the next ones."""
        last = t == self.unroll_length - 1
        worlds, acting = self.worlds, self.acting
        ended = self.rollout.ended[t]
        if self.terminates:
            torch.logical_or(worlds.truncated, worlds.terminated, out=ended)
        else:
            ended.copy_(worlds.truncated)
        if last:
            # Rows whose first episode is cut now, to stagger the starts; such an episode is not reported.
            cut = self.cuts == self.rollouts_done + 1
            ended |= cut
            self.episodes.drop(cut)
        some = self._any(ended, at_edge=last)
        if last or (some and not self.final_observations):
            # The value of an episode's final observation; after the rollout's last step, also of those that go on.
            outputs, _ = self.model.network.step(acting.present, state)
            self.rollout.next_value[t] = outputs.value
        if self.final_observations:
            self.final_observations.keep(ended & ~worlds.terminated, acting.present, state)
        acting.starts.copy_(ended)
        if some:
            if self.masked:
                self.episodes.close_masked(ended)
            else:
                self.episodes.close(ended)
            worlds.reset_rows(ended)
            acting.observe()


def _copy(places: State, values: State) -> None:
    for place, value in zip(places, values, strict=True):
        place.copy_(value)
