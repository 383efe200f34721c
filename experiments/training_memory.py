"""A lower bound of the memory that a training needs."""

from agents.config import AgentConfig, TrainConfig
from env.batch import WorldSpec
from env.memory import row_bytes

PROCESS_BYTES = 150 << 20
"""Of a worker's process, its libraries alone: 290 MiB resident when it was measured, a part of which processes share."""


def training_bytes(agent: AgentConfig, config: TrainConfig, spec: WorldSpec, workers: int, processes: int) -> int:
    """Bytes that a training takes at least: worlds, rollouts, and the pictures of one gradient as float32.

    Args:
        workers: each has worlds and a rollout of its own.
        processes: how many of them have a process of their own.
    """
    perceived = [spec.observations[name] for name in agent.perceives(spec)]
    seen = row_bytes(perceived)
    worlds = config.num_envs * row_bytes([*perceived, *spec.privileged.values()])
    rollout = config.num_envs * config.unroll_length * seen
    gradient = 4 * (rollout // (config.minibatches if config.objective == "clipped" else 1))
    return workers * (worlds + rollout + gradient) + processes * PROCESS_BYTES
