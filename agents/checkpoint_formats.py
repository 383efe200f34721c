"""What earlier versions wrote into checkpoints, in the words of this one."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from agents.config import AgentConfig, TrainConfig
from maze_gen.config_io import History
from maze_gen.errors import InputError

FORMATS = ("knossos checkpoint 1", "knossos checkpoint 2")
"""From the first to the present one."""

_COSTS = {
    "depth_encoder_cost": "depth-encoder",
    "depth_core_cost": "depth-core",
    "loop_closure_cost": "loop-closure",
    "reward_prediction_cost": "reward-prediction",
}

HISTORY: Mapping[type, History] = MappingProxyType(
    {
        TrainConfig: History(
            renamed={
                "chunk": "unroll_length",
                "advantage_decay": "gae_lambda",
                "gradient_norm": "max_grad_norm",
                "clip": "clip_range",
                "envs": "num_envs",
                "optimizer_decay": "rmsprop_alpha",
                "optimizer_epsilon": "optimizer_eps",
                "annealing_start": "anneal_start_fraction",
                "final_learning_rate_share": "final_learning_rate_fraction",
            },
            # A setting that is added later gets a row here: its value in files that lack it.
            added={
                "encoder": "convolutional",
                "slow_units": 0.0,
                "slow_steps": 400.0,
                "critic_sees": (),
                "loop_closure_labels": "episode",
                "credit": "steps",
                "regulariser": "spectral",
                "eps_inside_root": False,
                "reward_scale": 1.0,
                "reward_clip": 0.0,
                "entropy_target": 0.0,
                "novelty_bonus": 0.0,
                "augmentation": 0.0,
                "population": 1,
            },
        ),
        AgentConfig: History(added={"reward": "", "depth_power": 1.0}),
    }
)
"""By the dataclass. A setting that is added or renamed gets an entry; a published file of every format is kept in the tests."""


def upgraded(content: dict[str, Any], origin: str) -> dict[str, Any]:
    """A description of any known format as one of the present format.

    Raises:
        InputError: another format, e.g. of a later version.
    """
    found = content.get("format")
    if found not in FORMATS:
        raise InputError(f"{origin}: its format is {str(found)[:60]!r}, expected one of {', '.join(FORMATS)}")
    if found != FORMATS[0] and not isinstance(content.get("checksum"), str):
        raise InputError(f"{origin}: its description lacks the checksum of its tensors")
    content = dict(content)
    if found == "knossos checkpoint 1":
        content["domain"] = "navigation"
        settings = content.get("config")
        if isinstance(settings, dict):
            weights = {loss: settings[name] for name, loss in _COSTS.items() if name in settings}
            content["config"] = {key: value for key, value in settings.items() if key not in _COSTS} | {"loss_weight": weights}
    content["format"] = FORMATS[-1]
    return content
