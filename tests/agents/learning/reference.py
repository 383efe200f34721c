"""Returns and losses in NumPy, float64, one element at a time: slow, and written as the formulas are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass
class Sequence:
    """T steps of N rows, each [T, N]; `terminated` and `truncated` are bool."""

    reward: Array
    value: Array
    next_value: Array
    terminated: npt.NDArray[np.bool_]
    truncated: npt.NDArray[np.bool_]
    discount: float

    @property
    def ended(self) -> npt.NDArray[np.bool_]:
        return self.terminated | self.truncated

    def gamma(self, t: int, n: int) -> float:
        """The discount of what follows step t: none of it counts after a termination."""
        return 0.0 if self.terminated[t, n] else self.discount

    def last(self, t: int, n: int) -> int:
        """The last step of the episode that step t belongs to, within the sequence."""
        return next(later for later in range(t, len(self.reward)) if self.ended[later, n] or later == len(self.reward) - 1)


def random_sequence(seed: int, T: int = 11, N: int = 5, discount: float = 0.9) -> Sequence:
    """Random numbers in which episodes end in every way: terminated, truncated, several in a row, at the last step."""
    random = np.random.default_rng(seed)
    reward, value, next_value = random.normal(size=(3, T, N))
    terminated, truncated = random.random((T, N)) < 0.15, random.random((T, N)) < 0.15
    terminated[:, 0] = truncated[:, 0] = False
    truncated[4, 1] = truncated[T - 1, 2] = terminated[T - 1, 3] = terminated[5, 4] = True
    truncated &= ~terminated
    ended = terminated | truncated
    # Where the episode goes on, the value after a step is the value before the next one.
    next_value[:-1] = np.where(ended[:-1], next_value[:-1], value[1:])
    return Sequence(reward, value, next_value, terminated, truncated, discount)


def n_step_return(s: Sequence, t: int, n: int, steps: int) -> float:
    """r(t) + γ r(t+1) + … + γ^k V', over k = `steps` rewards, or those that are left of the episode or the sequence."""
    total, factor = 0.0, 1.0
    final = min(t + steps - 1, s.last(t, n))
    for later in range(t, final + 1):
        total += factor * s.reward[later, n]
        factor *= s.gamma(later, n)
    return total + factor * s.next_value[final, n]


def n_step_returns(s: Sequence, steps: int) -> Array:
    """[T, N]."""
    return _each(s, lambda t, n: n_step_return(s, t, n, steps))


def generalised_advantages(s: Sequence, gae_lambda: float) -> Array:
    """(1 − λ) Σ_k λ^(k−1) A_k, the weighted mean of k-step advantages, of which the longest takes what is left of the weight.

    arXiv 1506.02438, equation 16, of a finite sequence. [T, N].
    """

    def advantage(t: int, n: int) -> float:
        longest = s.last(t, n) - t + 1
        total = 0.0
        for k in range(1, longest + 1):
            weight = gae_lambda ** (k - 1) * (1.0 if k == longest else 1 - gae_lambda)
            total += weight * (n_step_return(s, t, n, k) - s.value[t, n])
        return total

    return _each(s, advantage)


@dataclass
class VTraceLimits:
    """ρ̄, c̄, the limit of the policy gradient's weights, and λ."""

    rho_clip: float
    trace_clip: float
    policy_rho_clip: float
    trace_decay: float


def v_trace_values(s: Sequence, ratio: Array, limits: VTraceLimits) -> Array:
    """v of arXiv 1802.01561, equation 1: V(s) + Σ_t γ^(t−s) (Π c) ρ (r + γ V' − V), to the end of the episode. [T, N]."""

    def target(start: int, n: int) -> float:
        total = s.value[start, n]
        for t in range(start, s.last(start, n) + 1):
            product = 1.0
            for i in range(start, t):
                product *= s.gamma(i, n) * limits.trace_decay * min(limits.trace_clip, ratio[i, n])
            rho = min(limits.rho_clip, ratio[t, n])
            total += product * rho * (s.reward[t, n] + s.gamma(t, n) * s.next_value[t, n] - s.value[t, n])
        return total

    return _each(s, target)


def v_trace_advantages(s: Sequence, ratio: Array, limits: VTraceLimits) -> Array:
    """ρ (r + γ v' − V) (section 4.2), v' being V' where the episode or the sequence ends. [T, N]."""
    values = v_trace_values(s, ratio, limits)

    def advantage(t: int, n: int) -> float:
        following = s.next_value[t, n] if s.last(t, n) == t else values[t + 1, n]
        rho = min(limits.policy_rho_clip, ratio[t, n])
        return rho * (s.reward[t, n] + s.gamma(t, n) * following - s.value[t, n])

    return _each(s, advantage)


def _each(s: Sequence, function: Callable[[int, int], float]) -> Array:
    T, N = s.reward.shape
    return np.array([[function(t, n) for n in range(N)] for t in range(T)])


@dataclass
class Batch:
    """M steps: logits [M, A], value [M]; of the targets action [M] int, log μ(a), advantage and return [M]."""

    logits: Array
    value: Array
    action: npt.NDArray[np.int64]
    log_mu: Array
    advantage: Array
    target: Array


@dataclass
class Costs:
    """Which objective, and the numbers in it."""

    objective: str
    epsilon: float
    value_cost: float
    entropy_cost: float


def agent_loss(b: Batch, costs: Costs) -> tuple[float, dict[str, float]]:
    """The mean over steps of policy loss + value_cost ½ (R − V)² − entropy_cost H, and the metrics."""
    sums: dict[str, float] = {"policy_loss": 0.0, "value_loss": 0.0, "entropy": 0.0}
    if costs.objective == "clipped":
        sums |= {"clip_fraction": 0.0, "approx_kl": 0.0}
    M = len(b.value)
    for m in range(M):
        policy = np.exp(b.logits[m]) / sum(np.exp(b.logits[m]))
        chosen, A = policy[b.action[m]], b.advantage[m]
        if costs.objective == "actor-critic":
            sums["policy_loss"] += -np.log(chosen) * A
        else:
            ratio = chosen / np.exp(b.log_mu[m])
            inside = min(max(ratio, 1 - costs.epsilon), 1 + costs.epsilon)
            sums["policy_loss"] += -min(ratio * A, inside * A)
            sums["clip_fraction"] += float(inside != ratio)
            sums["approx_kl"] += ratio - 1 - np.log(ratio)
        sums["value_loss"] += (b.target[m] - b.value[m]) ** 2 / 2
        sums["entropy"] += -sum(p * np.log(p) for p in policy)
    means = {name: float(total / M) for name, total in sums.items()}
    loss = means["policy_loss"] + costs.value_cost * means["value_loss"] - costs.entropy_cost * means["entropy"]
    return loss, means


def finite_differences(function: Callable[[], float], array: Array, step: float = 1e-6) -> Array:
    """The gradient of `function` with respect to `array`, which it reads, by central differences; `array` is left as it was."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        middle = array[index]
        array[index] = middle + step
        above = function()
        array[index] = middle - step
        below = function()
        array[index] = middle
        gradient[index] = (above - below) / (2 * step)
    return gradient
