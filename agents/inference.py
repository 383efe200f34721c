"""A trained agent at work: acts in a batch of worlds and lets its features and its heads' answers be read."""

from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agents.checkpoint import Checkpoint
from agents.model import AgentModel
from agents.networks.actor_critic import Inputs, Outputs, keep_state
from agents.rollout import choose
from env.batch import BatchEnv
from env.navigation import NUM_ACTIONS
from maze_gen.errors import InputError


class _Answers:
    """What the agent said at one step; heads are computed when they are first read."""

    def __init__(self, model: AgentModel, outputs: Outputs) -> None:
        self.model = model
        self.outputs = outputs

    def head(self, name: str) -> Tensor | None:
        loss = self.model.auxiliary.get(name)
        if loss is None or loss.reads == "memory":
            return None
        with torch.no_grad():
            return loss(self.outputs.encoder if loss.reads == "encoder" else self.outputs.core)

    @cached_property
    def position(self) -> Tensor | None:
        return self.head("position")

    @cached_property
    def depth_encoder(self) -> Tensor | None:
        return self.head("depth-encoder")

    @cached_property
    def depth_core(self) -> Tensor | None:
        return self.head("depth-core")

    @cached_property
    def loop(self) -> Tensor | None:
        return self.head("loop-closure")


class Policy:
    """Acts for N rows; carries memory, last action and last reward.

    Args:
        agent: a checkpoint, or a model.
        num_envs: N.

    After `act`, of the observation that was acted on (heads that the agent lacks are None):
        logits [N, 8], value [N], encoder [N, 256], core [N, 256] float32;
        position_logits [N, cells]; depth_encoder_logits and depth_core_logits [N, 8, 64] (class, pixel of the 4 x 16 row by
        row; or [N, 128] values of an agent that regresses depth); loop_logit [N], the log-odds of a loop closure;
        state, the core's memory after the observation, a tuple of [N, width]; cell_state [N, width], the last LSTM's cell.
    """

    def __init__(self, agent: Checkpoint | AgentModel, num_envs: int) -> None:
        self.model = agent.model() if isinstance(agent, Checkpoint) else agent
        self.num_envs = num_envs
        network = self.model.network
        self.state = network.initial_state(num_envs)
        self._starts = np.ones(num_envs, np.bool_)
        self._action = torch.zeros(num_envs, NUM_ACTIONS)
        self._answers: _Answers | None = None
        self._acted = False

    @property
    def needs_depth(self) -> bool:
        """Whether the worlds must make `observation.depth` for the agent to see."""
        return self.model.agent.depth_input

    def reset_rows(self, mask: npt.ArrayLike) -> None:
        """Forgets everything in the rows where `mask` [N] bool is True: an episode starts there."""
        self._starts |= np.asarray(mask, np.bool_)

    @torch.no_grad()
    def act(self, env: BatchEnv, uniforms: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Chooses actions for the present observation of `env`.

        The last reward is read from `env.outcome`, the last action is what `act` returned before; both count as none in rows that
        `reset_rows` named since.

        Args:
            env: N worlds.
            uniforms: [N] in [0, 1), from which the actions are drawn by inversion of the policy's distribution.

        Returns:
            [N] int64.

        Raises:
            InputError: the agent sees depth and `env` makes none, or its pictures are of another size.
        """
        starts = torch.from_numpy(self._starts)
        self.state = keep_state(self.state, starts)
        self._action[starts] = 0
        reward = torch.zeros(self.num_envs)
        if self._acted:
            reward = torch.where(starts, reward, torch.from_numpy(env.outcome.reward))
        inputs = Inputs(self._images(env), torch.from_numpy(env.observation["velocity"]), reward, self._action)
        outputs, self.state = self.model.network.step(inputs, self.state)
        drawn = torch.as_tensor(np.asarray(uniforms, np.float32)).view(-1, 1)
        action = choose(outputs.logits.log_softmax(1), drawn)
        self._action = torch.zeros_like(self._action).scatter_(1, action.unsqueeze(1), 1)
        self._starts = np.zeros(self.num_envs, np.bool_)
        self._answers = _Answers(self.model, outputs)
        self._acted = True
        return action.numpy()

    def _images(self, env: BatchEnv) -> Tensor:
        seen = env.observation
        images = torch.from_numpy(seen["rgb"])
        if self.needs_depth:
            if "depth" not in seen:
                raise InputError("this agent sees depth: make the worlds with 'depth' among what they observe")
            images = torch.cat((images, torch.from_numpy(seen["depth"]).unsqueeze(-1)), -1)
        return images

    @property
    def _said(self) -> _Answers:
        if self._answers is None:
            raise InputError("nothing to read before the first act")
        return self._answers

    @property
    def logits(self) -> Tensor:
        return self._said.outputs.logits

    @property
    def value(self) -> Tensor:
        return self._said.outputs.value

    @property
    def encoder(self) -> Tensor:
        return self._said.outputs.encoder

    @property
    def core(self) -> Tensor:
        return self._said.outputs.core

    @property
    def cell_state(self) -> Tensor | None:
        return self.state[-1] if self.state else None

    @property
    def position_logits(self) -> Tensor | None:
        return self._said.position

    @property
    def depth_encoder_logits(self) -> Tensor | None:
        return self._said.depth_encoder

    @property
    def depth_core_logits(self) -> Tensor | None:
        return self._said.depth_core

    @property
    def loop_logit(self) -> Tensor | None:
        return self._said.loop
