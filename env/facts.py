"""The infos of the Gymnasium faces: facts that no agent may see."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from env.batch import BatchEnv
from maze_gen.text import write_maze


class Facts:
    """Reads the facts of a batch as Gymnasium's infos have them, in arrays of their own."""

    def __init__(self, batch: BatchEnv, names: Sequence[str]) -> None:
        """Reads the privileged arrays `names`, and the texts of mazes where `maze` is among them."""
        self._batch, self._names = batch, names
        self._everywhere = np.ones(batch.num_envs, np.bool_)
        self._texts: dict[int, str] = {}

    def of_row(self, row: int) -> dict[str, Any]:
        """Of one row, without a batch axis."""
        values = {name: self._batch.privileged[name][row] for name in self._names}
        facts = {name: value.copy() if value.ndim else value.item() for name, value in values.items()}
        return facts | ({"maze_text": self._text(facts["maze"])} if self._has_texts else {})

    def of_all(self) -> dict[str, npt.NDArray[Any]]:
        """Of all rows, [N, ...], each with its mask [N] bool of who has it, as in Gymnasium's own vector environments."""
        facts: dict[str, npt.NDArray[Any]] = {name: self._batch.privileged[name].copy() for name in self._names}
        if self._has_texts:
            facts["maze_text"] = np.array([self._text(maze) for maze in facts["maze"].tolist()], dtype=object)
        return with_masks(facts, self._everywhere)

    @property
    def _has_texts(self) -> bool:
        return "maze" in self._names and len(self._batch.task.mazes) > 1

    def _text(self, maze: int) -> str:
        if maze not in self._texts:
            self._texts[maze] = write_maze(self._batch.task.mazes[maze])
        return self._texts[maze]


def with_masks(infos: dict[str, Any], rows: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Infos of a batch, each with the mask of the rows that have it."""
    return infos | {f"_{name}": rows.copy() for name in infos}
