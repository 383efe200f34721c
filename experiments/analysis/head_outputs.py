"""What an agent's own heads say while it is evaluated: which cell it is in, and whether it has been there before."""

import numpy as np
import numpy.typing as npt

from env.batch import BatchEnv
from env.task import Task
from experiments.analysis.activations import LOOP, Shapes, loop_labels
from experiments.analysis.decoders import split_episodes
from experiments.analysis.loop_closure import judge
from experiments.analysis.metrics import POSITION
from experiments.analysis.trajectories import Recording
from experiments.policies import AgentPlayer, Player


class HeadsProbe:
    """Reads which cell the agent's own position decoder names, and how likely a loop closes in the eyes of its own head.

    Args:
        position, loops: which of the two are read.
    """

    def __init__(self, position: bool, loops: bool) -> None:
        self.position, self.loops = position, loops

    def shapes(self, task: Task) -> Shapes:
        shapes: Shapes = {}
        if self.position:
            shapes[POSITION] = ((), np.int32)
        if self.loops:
            shapes[LOOP] = ((), np.float32)
        return shapes

    def read(self, env: BatchEnv, player: Player) -> dict[str, npt.ArrayLike]:
        assert isinstance(player, AgentPlayer)
        found: dict[str, npt.ArrayLike] = {}
        if self.position:
            logits = player.policy.head("position")
            assert logits is not None
            found[POSITION] = logits.argmax(1).numpy()
        if self.loops:
            odds = player.policy.head("loop-closure")
            assert odds is not None
            found[LOOP] = odds.sigmoid().numpy()
        return found


def loop_closure_f1(recording: Recording) -> float | None:
    """Of the agent's own head on the episodes that its threshold wasn't chosen on; None where no loop closes in one part."""
    labels = loop_labels(recording.position)
    if not all(labels[part].any() for part in split_episodes(recording.episodes)):
        return None
    return judge("", recording.readings[LOOP], labels).f1
