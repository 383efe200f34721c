"""The worlds of `env.vector` as a `VecEnv` of Stable-Baselines3, several times as fast as its own wrappers around single worlds.

Import it where Stable-Baselines3 is installed; nothing else of this project needs that.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

import knossos  # noqa: F401 - registers the ids
from env.face import Observation
from env.vector import KnossosVectorEnv
from maze_gen.errors import InputError

Indices = int | Iterable[int] | None


class KnossosVecEnv(VecEnv):
    """N worlds that step together in one process.

    Infos are a list of N dictionaries, as Stable-Baselines3 wants: the facts of `env.single.KnossosEnv`, and at an episode's end
    `terminal_observation` and `TimeLimit.truncated`. Wrap it in `VecMonitor` for returns and lengths of episodes.
    """

    def __init__(self, identifier: str, num_envs: int, **settings: Any) -> None:
        """Makes the worlds.

        Args:
            identifier: a Gymnasium id, e.g. `Knossos/StaticSmall-v0`.
            num_envs: N.
            settings: keyword arguments of `env.vector.KnossosVectorEnv`, but for `autoreset_mode`.

        Raises:
            InputError: as there.
        """
        if "autoreset_mode" in settings:
            raise InputError("autoreset_mode: Stable-Baselines3 has one way only; leave the setting out")
        worlds = gymnasium.make_vec(identifier, num_envs=num_envs, autoreset_mode=AutoresetMode.SAME_STEP, **settings)
        assert isinstance(worlds, KnossosVectorEnv)
        self.worlds = worlds
        self._actions: npt.NDArray[Any] = np.zeros(num_envs, np.int64)
        super().__init__(num_envs, worlds.single_observation_space, worlds.single_action_space)

    def reset(self) -> Observation:
        options = {"maze": np.array([given.get("maze", -1) for given in self._options])} if any(self._options) else None
        seeds = None if all(seed is None for seed in self._seeds) else self._seeds
        observation, infos = self.worlds.reset(seed=seeds, options=options)
        self.reset_infos = self._rows_of(infos)
        self._reset_seeds()
        self._reset_options()
        return observation

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[Observation, npt.NDArray[np.float32], npt.NDArray[np.bool_], list[dict[str, Any]]]:
        observation, rewards, terminated, truncated, infos = self.worlds.step(self._actions)
        ended = terminated | truncated
        rows = self._rows_of(infos)
        for row in np.flatnonzero(ended).tolist():
            self.reset_infos[row] = rows[row]
            last = {name: value[row] for name, value in infos["final_info"].items() if not name.startswith("_")}
            rows[row] = last | {"terminal_observation": infos["final_obs"][row], "TimeLimit.truncated": bool(truncated[row])}
        return observation, rewards.astype(np.float32), ended, rows

    def close(self) -> None:
        self.worlds.close()

    def get_images(self) -> Sequence[npt.NDArray[np.uint8] | None]:
        return self.worlds.render() or [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """An attribute of the worlds, the same for each of them."""
        return [getattr(self.worlds, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Raises InputError: the worlds are one object, whose attributes belong to all of them."""
        raise InputError(f"set_attr({attr_name!r}): the worlds are one object; set it on `worlds`")

    def env_method(self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any) -> list[Any]:
        """Raises InputError: the worlds are one object."""
        raise InputError(f"env_method({method_name!r}): the worlds are one object; call it on `worlds`")

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Wrapper], indices: Indices = None) -> list[bool]:
        return [False] * len(list(self._get_indices(indices)))

    def _rows_of(self, infos: dict[str, Any]) -> list[dict[str, Any]]:
        kept = {name: values for name, values in infos.items() if not name.startswith(("_", "final_"))}
        # Column by column: to index an array once a row and name takes longer than a step of the worlds.
        columns = [values.tolist() if values.ndim == 1 else list(values) for values in kept.values()]
        return [dict(zip(kept, row, strict=True)) for row in zip(*columns, strict=True)]
