"""A trained agent at work: acts in a batch of worlds, on their device, and lets its activations and heads be read."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agents.acting import Acting, Decision
from agents.checkpoint import Checkpoint
from agents.model import AgentModel
from agents.networks.cores import State
from agents.networks.distributions import ActionDistribution
from env.batch import BatchEnv
from env.tensors import TensorWorlds
from maze_gen.errors import InputError


class Policy:
    """Acts for N rows; carries memory, last action and last reward.

    After `act`, of the observation that was acted on, on the device of the worlds: `logits` [N, P], `distribution`, `value` [N],
    `encoder` [N, F], `core` [N, width] float32; `layers`, activations by the layer's name; `head(name)`, what the head of an
    auxiliary loss predicts; `state`, the core's memory after the observation; `cell_state` [N, width], the last cell state.
    """

    def __init__(self, agent: Checkpoint | AgentModel, num_envs: int) -> None:
        """Takes an agent for N rows.

        Args:
            agent: a checkpoint, or a model.
            num_envs: N.
        """
        self.model = agent.model() if isinstance(agent, Checkpoint) else agent
        self.num_envs = num_envs
        self.state: State = self.model.network.initial_state(num_envs)
        self._starts = np.ones(num_envs, np.bool_)
        self._env: BatchEnv | None = None
        self._acting: Acting | None = None
        self._decision: Decision | None = None
        self._action: Tensor | None = None

    @property
    def observe(self) -> frozenset[str]:
        """Names of the arrays that the worlds must make for the agent to act."""
        return self.model.network.perception.names

    def reset_rows(self, mask: npt.ArrayLike) -> None:
        """Erases all memory in the rows where `mask` [N] bool is True: an episode starts there."""
        self._starts |= np.asarray(mask, np.bool_)

    def erase_state(self, mask: npt.ArrayLike) -> None:
        """Erases the core's memory in the rows where `mask` [N] bool is True; last action and last reward stay."""
        kept = torch.from_numpy(~np.asarray(mask, np.bool_)).unsqueeze(1).to(self.device)
        self.state = tuple(part * kept for part in self.state)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @torch.no_grad()
    def act(self, env: BatchEnv, uniforms: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Chooses actions for the present observation of `env`.

        The last reward is read from `env.outcome`, the last action is what `act` returned before; both count as none in rows that
        `reset_rows` named since.

        Args:
            env: N worlds.
            uniforms: [N] or [N, K] in [0, 1), from which the K parts of the actions are drawn by inversion.

        Returns:
            [N] or [N, K] int64.

        Raises:
            InputError: the worlds don't make what the agent perceives, or take other actions.
        """
        acting = self._bound(env)
        if self._action is not None:
            acting.remember(self._action)
        acting.starts.copy_(torch.from_numpy(self._starts))
        acting.observe()
        self.state = acting.forget(self.state)
        drawn = torch.as_tensor(np.asarray(uniforms, np.float32), device=acting.starts.device)
        decision = acting.decide(self.state, drawn.view(self.num_envs, acting.parts))
        self._decision, self.state, self._action = decision, decision.state, decision.action
        self._starts = np.zeros(self.num_envs, np.bool_)
        return decision.action.cpu().numpy()

    def _bound(self, env: BatchEnv) -> Acting:
        """The acting loop of `env`, with the model on its device."""
        if self._acting is None or self._env is not env:
            worlds = TensorWorlds(env)
            if env.num_envs != self.num_envs:
                raise InputError(f"{env.num_envs} worlds, expected {self.num_envs}: a policy acts for as many as it was made for")
            self.model.to(worlds.device)
            self.state = tuple(part.to(worlds.device) for part in self.state)
            self._acting, self._env = Acting(self.model.network, worlds), env
        return self._acting

    @property
    def _decided(self) -> Decision:
        if self._decision is None:
            raise InputError("nothing to read before the first act")
        return self._decision

    @property
    def logits(self) -> Tensor:
        return self._decided.outputs.policy

    @property
    def distribution(self) -> ActionDistribution:
        return self._decided.distribution

    @property
    def action(self) -> Tensor:
        return self._decided.action

    @property
    def value(self) -> Tensor:
        return self._decided.outputs.value

    @property
    def encoder(self) -> Tensor:
        return self._decided.outputs.encoder

    @property
    def core(self) -> Tensor:
        return self._decided.outputs.core

    @property
    def layers(self) -> dict[str, Tensor]:
        """Activations by the layer's name, from the encoder to what the policy reads, each [N, width]."""
        return self.model.network.layers(self._decided.outputs, self._decided.state)

    @property
    def cell_state(self) -> Tensor | None:
        return self._decided.state[-1] if self.model.network.core.has_cell else None

    @torch.no_grad()
    def head(self, name: str) -> Tensor | None:
        """What the head of the auxiliary loss `name` predicts; None where the agent has none, or it reads no present features."""
        loss = self.model.auxiliary.get(name)
        if loss is None or loss.reads in ("memory", "key"):
            return None
        outputs = self._decided.outputs
        return loss(outputs.encoder if loss.reads == "encoder" else outputs.core)
