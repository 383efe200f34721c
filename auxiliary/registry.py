"""The auxiliary losses by name. A new one is a file of its own and a line here."""

from collections.abc import Callable

from auxiliary.depth import make_depth
from auxiliary.loop_closure import LoopClosureLoss
from auxiliary.loss import AuxiliaryLoss, HeadContext
from auxiliary.position import PositionLoss
from auxiliary.reward_prediction import RewardPredictionLoss

LossFactory = Callable[[HeadContext], AuxiliaryLoss]
"""Makes a fresh head and its loss for worlds, feature widths and settings."""

LOSSES: dict[str, LossFactory] = {
    "depth-encoder": lambda context: make_depth(context, "encoder"),
    "depth-core": lambda context: make_depth(context, "core"),
    "loop-closure": LoopClosureLoss,
    "reward-prediction": RewardPredictionLoss,
    "position": PositionLoss,
}
