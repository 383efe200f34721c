"""The worth of memory: what an agent loses where the state of its network is erased at respawns.

Two playbacks of the same episodes are compared episode by episode. Erasing sets the recurrent state to its initial value; the
last action and the last reward, which are inputs, stay.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from agents.checkpoint import Checkpoint
from env.batch import BatchEnv
from experiments.analysis.playback import to_numpy
from experiments.analysis.statistics import Estimate, estimate_mean
from experiments.analysis.trajectories import Trajectories
from experiments.analysis.trips import capped_seconds
from experiments.policies import AgentPlayer, PolicyFactory
from maze_gen.errors import InputError

Erasure = Literal["respawn", "always"] | int
"""When the state is erased: at every respawn, before every step, or before every N-th step of an episode."""


def parse_erasure(text: str) -> Erasure:
    """`respawn`, `always`, or a number of steps.

    Raises:
        InputError: anything else.
    """
    if text == "respawn" or text == "always":
        return text
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise InputError(f"--erase {text}: expected respawn, always, or a number of steps of at least 1")


class ErasedAgent(AgentPlayer):
    """An agent whose recurrent state is erased while it plays."""

    def __init__(self, checkpoint: Checkpoint, num_envs: int, erasure: Erasure) -> None:
        super().__init__(checkpoint, num_envs)
        self.erasure: Erasure = erasure
        self._step = 0

    def reset_rows(self, rows: npt.NDArray[np.bool_]) -> None:
        super().reset_rows(rows)
        self._step = 0

    def act(self, env: BatchEnv, uniforms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        erased = self._rows_to_erase(env)
        if erased.any():
            self.policy.erase_state(erased)
        self._step += 1
        return super().act(env, uniforms)

    def _rows_to_erase(self, env: BatchEnv) -> npt.NDArray[np.bool_]:
        if self._step == 0:
            # The state is initial, and the outcome may be that of an earlier episode.
            return np.zeros(env.num_envs, dtype=bool)
        if self.erasure == "respawn":
            return to_numpy(env.outcome.statistics["respawns"]) > 0
        return np.full(env.num_envs, self.erasure == "always" or self._step % self.erasure == 0)


def erased_agent(checkpoint: Checkpoint, erasure: Erasure) -> PolicyFactory:
    """Makes policies of a checkpoint whose state is erased."""
    return lambda num_envs: ErasedAgent(checkpoint, num_envs, erasure)


@dataclass(frozen=True)
class MemoryWorth:
    """Figures of an agent as it is less its figures with the state erased at respawns; means over pairs of episodes.

    Attributes:
        returns: of episodes.
        goals: per episode.
        trip_seconds: seconds that the trips after the first take longer with an erased state, capped, mean per episode; None
            where no episode has such trips in both playbacks.
    """

    returns: Estimate
    goals: Estimate
    trip_seconds: Estimate | None


def memory_worth(as_is: Trajectories, erased: Trajectories) -> MemoryWorth:
    """Compares two playbacks of the same episodes, with bootstrap intervals over episodes."""
    goals = [found.goals.sum(axis=1, dtype=np.float64) for found in (as_is, erased)]
    later = [_mean_later_trip(found) for found in (as_is, erased)]
    both = ~np.isnan(later[0]) & ~np.isnan(later[1])
    return MemoryWorth(
        estimate_mean(as_is.returns - erased.returns),
        estimate_mean(goals[0] - goals[1]),
        estimate_mean((later[1] - later[0])[both]) if both.any() else None,
    )


def _mean_later_trip(trajectories: Trajectories) -> npt.NDArray[np.float64]:
    """[E] mean capped duration of the trips after the first; NaN for episodes without any."""
    later = capped_seconds(trajectories)[:, 1:]
    count = (~np.isnan(later)).sum(axis=1)
    return np.divide(np.nansum(later, axis=1), count, out=np.full(len(later), np.nan), where=count > 0)
