"""The policy head of an action specification: one choice, several independent ones, or autoregressive ones."""

from torch import Tensor, nn

from agents.networks.autoregressive import AutoregressivePolicyHead
from agents.networks.distributions import INITIAL_GAIN, ActionDistribution, Categorical, IndependentCategoricals, PolicyHead
from agents.networks.pointer import PointerPolicyHead
from env.batch import ActionSpec
from maze_gen.errors import InputError


class LinearPolicyHead(nn.Linear, PolicyHead):
    """One linear layer whose outputs are the logits of one choice, or of several independent ones.

    Args:
        sizes: number of choices of each part of an action.
        features: F, the width of the input.
    """

    def __init__(self, sizes: tuple[int, ...], features: int) -> None:
        super().__init__(features, sum(sizes))
        self.sizes = sizes

    def distribution(self, parameters: Tensor, keys: Tensor | None = None) -> ActionDistribution:
        return Categorical(parameters) if len(self.sizes) == 1 else IndependentCategoricals(parameters, self.sizes)

    def initialise(self) -> None:
        nn.init.orthogonal_(self.weight, INITIAL_GAIN)
        nn.init.zeros_(self.bias)


def make_policy_head(spec: ActionSpec, features: int, key_width: int = 0) -> PolicyHead:
    """A fresh policy head for actions of a specification, reading features of width `features`.

    Args:
        key_width: entries of the keys of places; see `agents.networks.encoders.Encoder`.

    Raises:
        InputError: the specification has no part, or a part without a choice.
    """
    if not spec.sizes or min(spec.sizes) < 1:
        raise InputError(f"action sizes {spec.sizes}: expected at least one part, each with at least one choice")
    if key_width and any(part.grid is not None for part in spec.parts):
        return PointerPolicyHead(spec, features, key_width)
    if spec.autoregressive and len(spec.sizes) > 1:
        return AutoregressivePolicyHead(spec.sizes, features, conditions=tuple(part.only_if for part in spec.parts))
    return LinearPolicyHead(spec.sizes, features)
