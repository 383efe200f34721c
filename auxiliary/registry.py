"""The auxiliary losses by name. A new one is a file of its own and a line here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from auxiliary.depth import make_depth
from auxiliary.loop_closure import LoopClosureLoss
from auxiliary.loss import AuxiliaryLoss
from auxiliary.position import PositionLoss
from auxiliary.reward_prediction import RewardPredictionLoss
from env.task import Task

LossFactory = Callable[[Task, int, str], AuxiliaryLoss]
"""(task, width of the features, form of depth) → a fresh head and its loss."""

LOSSES: Mapping[str, LossFactory] = MappingProxyType(
    {
        "depth-encoder": lambda task, features, depth_form: make_depth(task, features, depth_form, "encoder"),
        "depth-core": lambda task, features, depth_form: make_depth(task, features, depth_form, "core"),
        "loop-closure": lambda task, features, depth_form: LoopClosureLoss(task, features),
        "reward-prediction": lambda task, features, depth_form: RewardPredictionLoss(features),
        "position": lambda task, features, depth_form: PositionLoss(task, features),
    }
)
