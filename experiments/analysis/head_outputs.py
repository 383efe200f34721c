"""Outputs of the agent's own heads, recorded while it plays: the cell it predicts, and whether it recognises the place."""

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from agents.inference import Policy
from auxiliary.loop_closure import LoopClosureLabels
from env.batch import BatchEnv
from experiments.policies import AgentPlayer, Player

POSITION = "predicted cell"
"""Signal: the most likely cell of the agent's own position decoder, [E, T] int32."""
POSTERIOR = "posterior of the agent's own position decoder"
"""Signal: its probabilities, [E, T, cells] float16."""
LOOP = "loop closure probability"
"""Signal: the output of the agent's own loop-closure head, [E, T] float32."""
LOOP_LABEL = "loop closure"
"""Signal: the true label, [E, T] bool."""


def agent_of(policy: Player) -> Policy:
    """The agent's policy, whose layers and heads can be read after it acted."""
    assert isinstance(policy, AgentPlayer), "probes read agents only"
    return policy.policy


def position_logits(policy: Policy, env: BatchEnv) -> Tensor | None:
    """[N, cells] logits of the agent's own position decoder; None without one, or where it was made for another maze size."""
    logits = policy.head("position")
    return logits if logits is not None and logits.shape[1] == env.spec.extent("cells") else None


class HeadProbe:
    """Records the predicted cell and the loop-closure probability of agents that have these heads."""

    observe: frozenset[str] = frozenset()

    def read(self, env: BatchEnv, policy: Player) -> dict[str, Any]:
        """Signals `POSITION` and `LOOP`, each where the agent has that head."""
        agent = agent_of(policy)
        found: dict[str, Any] = {}
        cells, loop = position_logits(agent, env), agent.head("loop-closure")
        if cells is not None:
            found[POSITION] = cells.argmax(1).int()
        if loop is not None:
            found[LOOP] = loop.sigmoid()
        return found


def loop_labels(position: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """[E, T, 2] positions of whole episodes → [E, T] labels, as the loop-closure loss makes them."""
    episodes, steps = position.shape[:2]
    labels = LoopClosureLabels(episodes, steps)
    starts = np.zeros(episodes, dtype=np.bool_)
    found = np.zeros((episodes, steps), dtype=np.bool_)
    for step in range(steps):
        starts[:] = step == 0
        found[:, step] = labels.label(np.ascontiguousarray(position[:, step]), starts)
    return found
