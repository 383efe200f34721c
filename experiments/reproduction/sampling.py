"""Settings drawn as the paper drew them: rates log-uniformly, weights and rollouts from sets (paper, appendix)."""

from dataclasses import replace

import numpy as np

from agents.config import LossWeights, TrainConfig

LEARNING_RATES = (1e-4, 5e-4)
ENTROPY_COSTS = (1e-4, 1e-3)
UNROLL_LENGTHS = (50, 75)
LOSS_WEIGHTS = {"depth-encoder": (3.33, 10.0, 33.0), "depth-core": (1.0, 3.33, 10.0), "loop-closure": (1.0, 3.33, 10.0)}


def sampled(settings: TrainConfig, number: int) -> TrainConfig:
    """`settings` with what the paper drew, drawn for the sample of this number; the same for every agent and task.

    Rollouts of settings that clip rewards, as the paper's agents with an asterisk, keep their length.
    """
    random = np.random.default_rng((161103673, number))
    rate, cost = (float(np.exp(random.uniform(*np.log(ends)))) for ends in (LEARNING_RATES, ENTROPY_COSTS))
    length = int(random.choice(UNROLL_LENGTHS))
    weights = {name: float(random.choice(values)) for name, values in LOSS_WEIGHTS.items()}
    return replace(
        settings,
        learning_rate=rate,
        entropy_cost=cost,
        unroll_length=settings.unroll_length if settings.reward_clip else length,
        loss_weight=LossWeights({**settings.loss_weight, **weights}),
    )
