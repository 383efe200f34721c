"""The auxiliary losses by name. A new one is a module of this folder with a `LOSS`, and is found by its name."""

from collections.abc import Callable

from auxiliary.depth import make_depth
from auxiliary.goal import GoalCellLoss, GoalDirectionLoss, GoalPathLoss
from auxiliary.hindsight import HindsightDirectionLoss, HindsightLoss
from auxiliary.loop_closure import LoopClosureLoss
from auxiliary.loss import AuxiliaryLoss, HeadContext
from auxiliary.position import OwnCellLoss, PositionLoss
from auxiliary.reward_prediction import RewardPredictionLoss
from auxiliary.same_place import SamePlaceLoss
from maze_gen.errors import InputError
from maze_gen.plugins import plugin

LossFactory = Callable[[HeadContext], AuxiliaryLoss]
"""Makes a fresh head and its loss for worlds, feature widths and settings."""

LOSSES: dict[str, LossFactory] = {
    "depth-encoder": lambda context: make_depth(context, "encoder"),
    "depth-core": lambda context: make_depth(context, "core"),
    "loop-closure": LoopClosureLoss,
    "reward-prediction": RewardPredictionLoss,
    "goal-cell": GoalCellLoss,
    "goal-direction": GoalDirectionLoss,
    "goal-path": GoalPathLoss,
    "hindsight": HindsightLoss,
    "hindsight-direction": HindsightDirectionLoss,
    "own-cell": OwnCellLoss,
    "position": PositionLoss,
    "same-place": SamePlaceLoss,
}


def loss_factory(name: str) -> LossFactory:
    """What makes the auxiliary loss of a name: a row of `LOSSES`, else `LOSS` of the module of that name in this folder.

    Raises:
        InputError: neither.
    """
    found = LOSSES.get(name) or plugin(__package__, name, "LOSS")
    if found is None:
        expected = f"one of {', '.join(LOSSES)}, or a module of auxiliary/ that has a LOSS"
        raise InputError(f"auxiliary loss {name!r}: expected {expected}")
    return found
