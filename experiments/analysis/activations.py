"""Records everything that can be read off a trained agent while it plays: features, answers of its heads, and the truth."""

import numpy as np
import numpy.typing as npt
import torch

from agents.checkpoint import Checkpoint
from agents.networks.cores import CORE_FEATURES, FIRST_MEMORY
from agents.networks.encoders import FEATURES
from auxiliary.depth import CLASSES, PIXELS, classes_of_distance
from auxiliary.loop_closure import LoopClosureLabels
from env.batch import BatchEnv
from env.task import Task
from experiments.analysis.metrics import POSITION
from experiments.analysis.trajectories import Progress, Recording, record
from experiments.policies import AgentPlayer, Player, player_of

ENCODER, LSTM, FIRST, SECOND = "encoder", "LSTM", "LSTM 1", "LSTM 2"
"""Names of features, [E, T, width] float16."""

LAYERS: dict[str, dict[str, int]] = {
    "feedforward": {ENCODER: FEATURES},
    "lstm": {ENCODER: FEATURES, LSTM: CORE_FEATURES},
    "nav": {ENCODER: FEATURES, FIRST: FIRST_MEMORY, SECOND: CORE_FEATURES},
}
"""What an agent consists of, by kind of core, from the eye to the policy; the last one is what the policy reads."""

VALUE, UNCERTAINTY = "value", "entropy of the policy"
POSTERIOR = "posterior of the agent's own position decoder"
CELL_STATE = "cell state of the last LSTM"
DEPTH_HEADS = {"depth-encoder": "D1 (from the encoder)", "depth-core": "D2 (from the last LSTM)"}
"""Auxiliary loss → name of the reading: [E, T, 64] uint8, the likeliest depth class of each of 4 x 16 pixels."""
TRUE_DEPTH = "true depth classes"
LOOP, LOOP_LABEL = "loop closure probability", "loop closure"

Shapes = dict[str, tuple[tuple[int, ...], npt.DTypeLike]]


def layers_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Names of the agent's features, from the eye to the policy."""
    return tuple(LAYERS[checkpoint.agent.core])


def has_classes(checkpoint: Checkpoint, loss: str) -> bool:
    """Whether the agent has that depth head, and it tells classes."""
    return loss in checkpoint.agent.losses and checkpoint.config.depth_form == "classes"


class ActivationProbe:
    """Reads an agent's features, what its heads say, and what they should say."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def shapes(self, task: Task) -> Shapes:
        checkpoint = self.checkpoint
        shapes: Shapes = {name: ((width,), np.float16) for name, width in LAYERS[checkpoint.agent.core].items()}
        shapes |= {VALUE: ((), np.float32), UNCERTAINTY: ((), np.float32), TRUE_DEPTH: ((PIXELS,), np.uint8)}
        if checkpoint.agent.core != "feedforward":
            shapes[CELL_STATE] = ((CORE_FEATURES,), np.float16)
        if "position" in checkpoint.agent.losses and task.cells == checkpoint.task.cells:
            shapes |= {POSITION: ((), np.int32), POSTERIOR: ((task.cells,), np.float16)}
        shapes |= {name: ((PIXELS,), np.uint8) for loss, name in DEPTH_HEADS.items() if has_classes(checkpoint, loss)}
        if "loop-closure" in checkpoint.agent.losses:
            shapes[LOOP] = ((), np.float32)
        self._wanted = shapes
        return shapes

    def read(self, env: BatchEnv, player: Player) -> dict[str, npt.ArrayLike]:
        assert isinstance(player, AgentPlayer)
        policy = player.policy
        target = env.observation["depth_target"]
        chances = policy.logits.softmax(1)
        found: dict[str, npt.ArrayLike] = {
            ENCODER: policy.encoder.numpy(),
            VALUE: policy.value.numpy(),
            UNCERTAINTY: -(chances * chances.clamp_min(1e-12).log2()).sum(1).numpy(),
            TRUE_DEPTH: classes_of_distance(target).reshape(len(target), PIXELS),
        }
        kind = self.checkpoint.agent.core
        if kind == "lstm":
            found[LSTM] = policy.core.numpy()
        if kind == "nav":
            found |= {FIRST: policy.state[0].numpy(), SECOND: policy.core.numpy()}
        if policy.cell_state is not None:
            found[CELL_STATE] = policy.cell_state.numpy()
        position = policy.head("position")
        if POSITION in self._wanted and position is not None:
            found[POSITION] = position.argmax(1).numpy()
            found[POSTERIOR] = position.softmax(1).numpy()
        for loss, logits in (("depth-encoder", policy.head("depth-encoder")), ("depth-core", policy.head("depth-core"))):
            if logits is not None and DEPTH_HEADS[loss] in self._wanted:
                assert logits.shape[1] == CLASSES
                found[DEPTH_HEADS[loss]] = logits.argmax(1).numpy()
        loop = policy.head("loop-closure")
        if loop is not None:
            found[LOOP] = torch.sigmoid(loop).numpy()
        return found


def loop_labels(position: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """[E, T, 2] positions of whole episodes → [E, T], where a loop closes, as the loop-closure loss labels it."""
    episodes, steps = position.shape[:2]
    labels = LoopClosureLabels(episodes, steps)
    starts = np.zeros(episodes, dtype=np.bool_)
    found = np.zeros((episodes, steps), dtype=np.bool_)
    for step in range(steps):
        starts[:] = step == 0
        found[:, step] = labels.label(np.ascontiguousarray(position[:, step]), starts)
    return found


def record_activations(
    checkpoint: Checkpoint,
    task: Task,
    episodes: int,
    seed: int = 0,
    *,
    keep_pictures: tuple[int, ...] = (),
    thumbnail_stride: int = 0,
    backend: str = "embedded",
    threads: int | None = None,
    steps: int | None = None,
    progress: Progress | None = None,
) -> Recording:
    """Plays episodes with an agent and keeps everything that can be read off it (the names above).

    A float16 holds three digits, enough for features that decoders standardise; 100 episodes of 900 steps take 0.2 GB.
    """
    recording = record(
        task,
        player_of(checkpoint),
        episodes,
        seed,
        probe=ActivationProbe(checkpoint),
        keep_pictures=keep_pictures,
        thumbnail_stride=thumbnail_stride,
        depth=checkpoint.agent.depth_input,
        depth_target=True,
        backend=backend,
        threads=threads,
        steps=steps,
        progress=progress,
    )
    recording.readings[LOOP_LABEL] = loop_labels(recording.position)
    return recording
