"""The pen of every canvas: makes strokes of actions, and remembers where each stroke begins."""

from typing import Any

import numpy as np
import numpy.typing as npt

from env.painting.action import END, PAINT, Chosen
from env.painting.strokes import Strokes, quadratic, spline
from env.painting.task import PaintingTask

Mask = npt.NDArray[np.bool_]


class Pen:
    """Pens of N canvases.

    Attributes:
        begun: [N] bool, the last action began a stroke.
    """

    def __init__(self, task: PaintingTask, num_envs: int, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Keeps the arrays `pen` and `effect` up to date."""
        self._form, self._steps = task.action, task.steps
        self._shown, self._effect = arrays["pen"], arrays["effect"]
        n = num_envs
        self.begun = np.zeros(n, np.bool_)
        self._place = np.zeros((n, 2), np.float32)
        self._pressure = np.zeros(n, np.float32)
        self._down = np.zeros(n, np.bool_)
        self._first = np.zeros(n, np.bool_)
        # Compound strokes: the points so far, and what the first of them chose.
        points = self._steps if self._form.compound else 0
        self._path = np.zeros((n, points, 2), np.float32)
        self._count = np.zeros(n, np.int64)
        self._radius = np.zeros(n, np.float32)
        self._colour = np.zeros((n, 3), np.float32)

    def begin(self, rows: Mask, strokes: Strokes) -> None:
        """Lifts the pens of `rows` [N], in the middle of their canvases, and erases the strokes that they laid last."""
        self._place[rows], self._pressure[rows], self._count[rows] = 0.5, 0, 0
        self._down[rows] = self.begun[rows] = False
        self._first[rows] = True
        for array in (self._radius, self._colour, self._path, self._effect, *strokes):
            array[rows] = 0
        self._show()

    def draw(self, actions: npt.NDArray[np.int64], playing: Mask, last: Mask, strokes: Strokes) -> None:
        """Writes the strokes of actions [N, K] into `strokes`; rows that don't play lay nothing.

        Args:
            last: [N], the episode's last action, which ends a compound stroke.
        """
        strokes.pieces[:] = 0
        chosen = self._form.decode(actions)
        if self._form.compound:
            self._draw_compound(chosen, playing, last, strokes)
        else:
            self._draw_simple(chosen, playing, strokes)
        self._first[playing] = False
        self._show()

    def _draw_simple(self, chosen: Chosen, playing: Mask, strokes: Strokes) -> None:
        # The first action is a move: a stroke from the middle would be in every painting.
        paints = (chosen.flag == PAINT) & ~self._first & playing
        self.begun[:] = paints & ~self._down
        assert chosen.control is not None
        strokes.pieces[paints] = 1
        strokes.points[paints] = quadratic(self._place, chosen.control, chosen.end)[paints]
        strokes.radius[paints] = chosen.radius[paints]
        start = np.where(self._down, self._pressure, chosen.pressure)
        strokes.pressure[paints] = np.stack((start, chosen.pressure), 1)[paints]
        strokes.colour[paints] = chosen.colour[paints]
        effect = np.broadcast_to(paints[:, None], self._effect.shape).astype(np.float32)
        effect[:, 0], effect[:, 1] = ~self._first, 1
        self._effect[playing] = effect[playing]
        self._place[playing], self._down[playing] = chosen.end[playing], paints[playing]
        self._pressure[paints] = chosen.pressure[paints]

    def _draw_compound(self, chosen: Chosen, playing: Mask, last: Mask, strokes: Strokes) -> None:
        begins = playing & (self._count == 0)
        self.begun[:] = begins
        for kept, new in ((self._radius, chosen.radius), (self._pressure, chosen.pressure), (self._colour, chosen.colour)):
            kept[begins] = new[begins]
        rows = np.flatnonzero(playing)
        self._path[rows, self._count[rows]] = chosen.end[rows]
        self._count[rows] += 1
        ends = playing & ((chosen.flag == END) | last)
        effect = np.broadcast_to(begins[:, None], self._effect.shape).astype(np.float32)
        effect[:, 0], effect[:, 1] = ~last, 1
        self._effect[playing] = effect[playing]
        if ends.any():
            pieces = spline(self._path[ends], self._count[ends])
            strokes.pieces[ends] = np.maximum(self._count[ends] - 1, 1)
            strokes.points[ends, : pieces.shape[1]] = pieces
            strokes.radius[ends], strokes.colour[ends] = self._radius[ends], self._colour[ends]
            strokes.pressure[ends] = self._pressure[ends, None]
            self._count[ends] = 0
        self._place[playing], self._down[playing] = chosen.end[playing], ~ends[playing]

    def _show(self) -> None:
        self._shown[:, :2] = self._place
        self._shown[:, 2] = self._down

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays from which it goes on."""
        return {
            "pen_place": self._place,
            "pen_pressure": self._pressure,
            "pen_down": self._down,
            "pen_first": self._first,
            "pen_begun": self.begun,
            "path": self._path,
            "path_points": self._count,
            "path_radius": self._radius,
            "path_colour": self._colour,
        }
