"""Plays episodes with an agent and records its layers, its value estimate, the outputs of its heads, and the true labels."""

from typing import Any

import numpy as np

from agents.checkpoint import Checkpoint
from auxiliary.depth import CLASSES, PIXELS, classes_of_distance
from env.batch import BatchEnv
from experiments.analysis.head_outputs import LOOP_LABEL, POSTERIOR, HeadProbe, agent_of, loop_labels, position_logits
from experiments.analysis.playback import Playback, to_numpy
from experiments.analysis.recorder import Pictures, record
from experiments.analysis.trajectories import LAYER, Trajectories
from experiments.policies import Player, player_of

VALUE = "value"
"""Signal: the value estimate, [E, T] float32."""
CELL_STATE = "cell state of the last LSTM"
"""Signal: [E, T, width] float16."""
DEPTH_HEADS = {"depth-encoder": "D1 (from the encoder)", "depth-core": "D2 (from the last LSTM)"}
"""Auxiliary loss → name of the signal: [E, T, 64] uint8, the most likely depth class of each of 4 x 16 pixels."""
TRUE_DEPTH = "true depth classes"


class ActivationProbe(HeadProbe):
    """Records the layers of an agent, its value estimate, the outputs of its heads and the true depth classes.

    float16 holds three digits, enough for features that decoders standardise; 100 episodes of 900 steps take 0.2 GB.
    """

    observe = frozenset({"depth_target"})

    def read(self, env: BatchEnv, policy: Player) -> dict[str, Any]:
        """Signals `layer/NAME` of every layer, `VALUE`, `TRUE_DEPTH`, and those of the heads that the agent has."""
        agent = agent_of(policy)
        found: dict[str, Any] = {LAYER + name: values.half() for name, values in agent.layers.items()}
        found[VALUE] = agent.value
        found[TRUE_DEPTH] = classes_of_distance(to_numpy(env.observation["depth_target"])).reshape(-1, PIXELS)
        if agent.cell_state is not None:
            found[CELL_STATE] = agent.cell_state.half()
        logits = position_logits(agent, env)
        if logits is not None:
            found[POSTERIOR] = logits.softmax(1).half()
        for loss, name in DEPTH_HEADS.items():
            classes = agent.head(loss)
            # An agent that regresses depth has [N, 128] values instead of [N, 8, 64] logits.
            if classes is not None and classes.ndim == 3:
                assert classes.shape[1] == CLASSES
                found[name] = to_numpy(classes.argmax(1)).astype(np.uint8)
        return found | super().read(env, policy)


def record_activations(
    checkpoint: Checkpoint,
    playback: Playback,
    *,
    pictures: Pictures = Pictures(),  # noqa: B008 - frozen
    steps: int | None = None,
) -> Trajectories:
    """Plays episodes with an agent and records everything that `ActivationProbe` reads, and the loop-closure labels.

    Args:
        pictures: which pictures are kept.
        steps: number of steps of each episode, from its start; None for whole episodes.
    """
    found = record(playback, player_of(checkpoint), probe=ActivationProbe(), pictures=pictures, steps=steps)
    found.signals[LOOP_LABEL] = loop_labels(found.position)
    return found
