"""A network as kernel maps see it: a chain of activations and of normalised sums of branches.

Linear and convolution layers at their initialisation leave both kernel quantities as they are (2110.01765, section 4), so that
nothing else of a network is in its graph.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from agents.shaping.errors import ShapingError

TOLERANCE = 1e-6
"""How far the squared weights of a sum may be from 1."""


@dataclass(frozen=True)
class Activation:
    """An elementwise nonlinearity, the same one everywhere in a graph."""


@dataclass(frozen=True)
class Sum:
    """Σ wᵢ fᵢ(x) of branches of one input.

    Attributes:
        branches: (weight, items) of every branch; without items a branch is the identity.

    Raises:
        ShapingError: the squared weights don't add up to 1, so that the sum is none that kernel maps can follow.
    """

    branches: "tuple[tuple[float, Items], ...]"

    def __post_init__(self) -> None:
        total = sum(weight**2 for weight, _ in self.branches)
        if abs(total - 1) > TOLERANCE:
            raise ShapingError(f"sum of branches: squared weights add up to {total:.6g}, expected 1 (a normalised sum)")


Items: TypeAlias = tuple[Activation | Sum, ...]


def chain(activations: int) -> Items:
    """A plain network with that many nonlinear layers."""
    if activations < 1:
        raise ShapingError(f"chain of {activations} activations: expected at least 1")
    return (Activation(),) * activations


def residual(branch: Items, shortcut: float, projection: Items = ()) -> Items:
    """√(1 − w²)·branch(x) + w·projection(x); a shortcut weight of 0 leaves the branch alone.

    Raises:
        ShapingError: a shortcut weight outside of [0, 1).
    """
    if not 0 <= shortcut < 1:
        raise ShapingError(f"shortcut weight {shortcut}: expected at least 0 and less than 1")
    if shortcut == 0:
        return branch
    return (Sum(((shortcut, projection), ((1 - shortcut**2) ** 0.5, branch))),)


def evaluate(items: Items, x: Any, local: Callable[[Any], Any]) -> Any:
    """The graph's map at `x`, with `local` for every activation and Σ wᵢ² fᵢ for every sum.

    Args:
        x: a float or an array.
        local: the map of one activation, of the same kind.
    """
    for item in items:
        if isinstance(item, Activation):
            x = local(x)
        else:
            entering = x
            x = sum(weight**2 * evaluate(branch, entering, local) for weight, branch in item.branches)
    return x


def maximum(items: Items, x: float, local: Callable[[float], float]) -> float:
    """M_{f,r}(x), the largest value that a subnetwork has (2203.08120, appendix B).

    The maximum over the graph itself and over every branch alone: a subnetwork that starts in a branch can't leave it, as the sum
    needs its other inputs. With r(x) = s·x from 1 it is the maximal slope function of 2110.01765; with r(x) = x + t from 0 TAT's
    maximal curvature; with a leaky rectifier's C map from 0 its maximal C(0).

    Raises:
        ShapingError: a graph without an activation.
    """
    if not count(items):
        raise ShapingError("an empty graph: expected at least one activation")
    return max(_subnetworks(items, x, local))


def _subnetworks(items: Items, x: float, local: Callable[[float], float]) -> Iterator[float]:
    yield evaluate(items, x, local)
    for branch in _branches(items):
        yield from _subnetworks(branch, x, local)


def _branches(items: Items) -> Sequence[Items]:
    """Every different branch of the sums of a chain; the blocks of a group are equal, and are followed once."""
    return list(dict.fromkeys(branch for item in items if isinstance(item, Sum) for _, branch in item.branches if branch))


def count(items: Items) -> int:
    """Activations in a graph."""
    return sum(1 if isinstance(item, Activation) else sum(count(branch) for _, branch in item.branches) for item in items)
