"""A greedy search that sees its target: stroke by stroke, what is rewarded most. It shows what the actions can paint."""

import numpy as np
import numpy.typing as npt

from env.batch import BatchEnv
from env.painting.action import END, GO_ON, MOVE, PAINT
from env.painting.distance import squared_distances
from env.painting.program import open_brush
from env.painting.strokes import Strokes, length, quadratic, spline
from env.painting.task import PaintingTask

RANDOM, ROUNDS, NEAR = 256, 8, 64
"""Candidates of a stroke: random ones, and then so many rounds of changes of the best one so far."""
PLACES = 3
"""Genes of a stroke that are places: start, end and control of a simple one, three points of a compound one."""
REACH = 2
"""Cells that a place is moved by at most in a change, each way."""
_BYTES = 1 << 25
"""Of the canvases that candidates are painted on at the same time."""

Genes = npt.NDArray[np.int64]
"""[R, C, G]: strokes for R canvases, C candidates each: `PLACES` cells, then size, pressure and colours. A start that is no cell,
but their number, goes on from the pen's place."""


class GreedySearch:
    """Plans the stroke that is rewarded most, lays it in as many steps as it takes, and plans the next one.

    A candidate is painted by the embedded brush, whatever brush the canvases have, on a copy of the canvas. Some candidates are
    drawn where canvas and target differ; then the best one is changed a little, again and again.

    Args:
        task: with targets.
        count: N, canvases of the batch, all at the same step of their episodes.
        seed: of the candidates.
    """

    def __init__(self, task: PaintingTask, count: int, seed: int) -> None:
        self._task, self._form = task, task.action
        self._generator = np.random.default_rng(seed)
        self._cells = task.action.grid**2
        self._looks = task.action.spec.sizes[1 + len(task.action.places) :]
        self._plans: list[list[list[int]]] = [[] for _ in range(count)]
        self._pressure = np.zeros(count, np.float32)
        self._bench = _Bench(task, max(RANDOM, NEAR))

    def __call__(self, batch: BatchEnv) -> npt.NDArray[np.int64]:
        """The next actions [N, K]."""
        left = round(self._task.steps * (1 - float(batch.observation["time"][0, 0])))
        idle = np.array([row for row, plan in enumerate(self._plans) if not plan], np.int64)
        for first in range(0, len(idle), self._bench.rows):
            self._plan(batch, idle[first : first + self._bench.rows], left)
        return np.array([plan.pop(0) for plan in self._plans], np.int64)

    def _plan(self, batch: BatchEnv, rows: npt.NDArray[np.int64], left: int) -> None:
        """Plans the next stroke of `rows` [R], with so many steps left."""
        state = batch.observation["canvas"][rows], batch.observation["target"][rows], batch.observation["pen"][rows]
        first = left == self._task.steps
        best, score = None, np.full(len(rows), -np.inf)
        for _ in range(1 + ROUNDS):
            genes = self._random(state, RANDOM) if best is None else self._changed(best, NEAR)
            if not self._form.compound and (first or left == 1):
                starts = genes[..., 0]
                # The first action is a move, and the last one can't be: each leaves one kind of stroke.
                starts[:] = np.where(starts == self._cells, genes[..., 1], starts) if first else self._cells
            found = self._bench.scores(genes, state, self._pressure[rows], left)
            place = found.argmax(1)
            chosen, reached = genes[np.arange(len(rows)), place], found.max(1)
            better = reached > score
            best = chosen if best is None else np.where(better[:, None], chosen, best)
            score = np.maximum(score, reached)
        assert best is not None
        for row, one, value in zip(rows, best.tolist(), score, strict=True):
            self._plans[row] = self._steps(one, left) if value > 0 else self._nothing(batch, row, left)
            if value > 0:
                self._pressure[row] = self._form.pressures[one[PLACES + 1]]

    def _steps(self, genes: list[int], left: int) -> list[list[int]]:
        """A stroke as actions."""
        looks, idle = genes[PLACES:], [0] * len(self._looks)
        if self._form.compound:
            points = genes[: min(PLACES, left)]
            return [[GO_ON, point, *looks] for point in points[:-1]] + [[END, points[-1], *looks]]
        start, end, control = genes[:PLACES]
        moves = [] if start == self._cells else [[MOVE, start, control, *idle]]
        return [*moves, [PAINT, end, control, *looks]]

    def _nothing(self, batch: BatchEnv, row: int, left: int) -> list[list[int]]:
        """What changes a canvas least where no stroke is rewarded: a move, or one dot where the pen is."""
        grid = self._form.grid
        x, y = np.minimum((batch.observation["pen"][row, :2] * grid).astype(int), grid - 1)
        idle = [0] * len(self._looks)
        if self._form.compound:
            return [[GO_ON, int(y * grid + x), *idle] for _ in range(left)]
        return [[MOVE, int(y * grid + x), 0, *idle]]

    def _random(self, state: "State", count: int) -> Genes:
        """Candidates [R, count, G] where canvas and target differ."""
        canvas, target, _ = state
        draw, grid = self._generator, self._form.grid
        difference = np.square(canvas.astype(np.float32) - target).sum(3)
        per_cell = _blocks(difference, grid).reshape(len(canvas), -1) + 1e-3
        reached = np.cumsum(per_cell, 1) / per_cell.sum(1, keepdims=True)
        uniforms = draw.random((len(canvas), count * 2))
        places = np.stack([np.searchsorted(line, values) for line, values in zip(reached, uniforms, strict=True)])
        places = np.minimum(places, self._cells - 1).reshape(len(canvas), count, 2)
        start, end = places[..., 0], places[..., 1]
        middle = np.stack(((start // grid + end // grid) // 2, (start % grid + end % grid) // 2), -1)
        control = self._shifted(middle, draw.integers(-2 * REACH, 2 * REACH + 1, middle.shape))
        if not self._form.compound:
            start = np.where(draw.random(start.shape) < 0.5, self._cells, start)
        looks = [draw.integers(size, size=start.shape) for size in self._looks[:2]]
        if self._form.colours:
            looks += self._colours(target, end)
        order = (start, control, end) if self._form.compound else (start, end, control)
        return np.stack([*order, *looks], -1).astype(np.int64)

    def _colours(self, target: npt.NDArray[np.uint8], cells: Genes) -> list[Genes]:
        """Levels of red, green and blue of the target at cells [R, C]."""
        grid, side = self._form.grid, target.shape[1]
        y, x = ((part * side + side // 2) // grid for part in np.divmod(cells, grid))
        seen = target[np.arange(len(target))[:, None], y, x] / 255 * (self._form.colours - 1)
        return list(np.rint(np.moveaxis(seen, -1, 0)).astype(np.int64))

    def _changed(self, best: Genes, count: int) -> Genes:
        """Candidates [R, count, G] near strokes [R, G]."""
        draw, grid = self._generator, self._form.grid
        genes = best[:, None].repeat(count, 1)
        shape = genes.shape[:2]
        for place in range(PLACES):
            cell = genes[..., place]
            pair = np.stack(np.divmod(cell, grid), -1)
            shift = draw.integers(-REACH, REACH + 1, pair.shape) * (draw.random(shape) < 0.5)[..., None]
            genes[..., place] = np.where(cell == self._cells, cell, self._shifted(pair, shift))
        for index, size in enumerate(self._looks):
            gene = genes[..., PLACES + index]
            step = np.clip(gene + draw.integers(-1, 2, shape), 0, size - 1)
            genes[..., PLACES + index] = np.where(draw.random(shape) < 0.3, step, gene)
        return genes

    def _shifted(self, pair: Genes, shift: Genes) -> Genes:
        """Cells at (row, column) [..., 2], shifted and kept inside."""
        moved = np.clip(pair + shift, 0, self._form.grid - 1)
        return moved[..., 0] * self._form.grid + moved[..., 1]


State = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.float32]]
"""Canvases and targets [R, side, side, C], and pens [R, 3], as observed."""


class _Bench:
    """Where candidates are painted.

    Attributes:
        rows: canvases whose candidates fit on it.
    """

    def __init__(self, task: PaintingTask, candidates: int) -> None:
        self._task = task
        shape = (task.side, task.side, task.action.channels)
        self.rows = max(1, _BYTES // (candidates * int(np.prod(shape))))
        size = self.rows * candidates
        self._canvas, self._target = np.zeros((size, *shape), np.uint8), np.zeros((size, *shape), np.uint8)
        self._strokes = Strokes.empty(size, PLACES - 1 if task.action.compound else 1)
        self._brush = open_brush("stamp", self._strokes, self._canvas, task.hardness, 1)

    def scores(self, genes: Genes, state: State, pressure: npt.NDArray[np.float32], left: int) -> npt.NDArray[np.float64]:
        """[R, C]: the reward of each candidate.

        Args:
            pressure: [R], of the stroke before.
            left: steps.
        """
        canvas, target, pen = state
        R, C = genes.shape[:2]
        M, entries = R * C, int(np.prod(canvas.shape[1:]))
        self._canvas[:M], self._target[:M] = canvas.repeat(C, 0), target.repeat(C, 0)
        begun = self._stroke(genes.reshape(M, -1), pen.repeat(C, 0), pressure.repeat(C), left)
        self._brush.lay()
        before, after = np.zeros(R, np.int64), np.zeros(M, np.int64)
        squared_distances(np.ascontiguousarray(canvas), np.ascontiguousarray(target), before)
        squared_distances(self._canvas[:M], self._target[:M], after)
        fall = (before.repeat(C) - after) * (100 / 255**2 / entries)
        taken = begun * self._task.stroke_penalty
        if self._task.length_penalty:
            taken = taken + length(self._strokes.points[:M], self._strokes.pieces[:M]) * self._task.length_penalty
        return (fall - taken).reshape(R, C)

    def _stroke(
        self, genes: Genes, pen: npt.NDArray[np.float32], pressure: npt.NDArray[np.float32], left: int
    ) -> npt.NDArray[np.bool_]:
        """Writes the strokes of genes [M, G]; returns whether each is a new one."""
        form, strokes, M = self._task.action, self._strokes, len(genes)
        flags = np.full((M, 1), PAINT)
        chosen = form.decode(np.concatenate((flags, genes[:, PLACES - len(form.places) :]), 1))
        strokes.pieces[:] = 0
        strokes.radius[:M], strokes.colour[:M] = chosen.radius, chosen.colour
        if form.compound:
            points = min(PLACES, left)
            strokes.points[:M] = spline(form.place_of(genes[:, :PLACES]), np.full(M, points))
            strokes.pieces[:M] = max(points - 1, 1)
            strokes.pressure[:M] = chosen.pressure[:, None]
            return np.ones(M, np.bool_)
        goes_on = genes[:, 0] == form.grid**2
        start = np.where(goes_on[:, None], pen[:, :2], form.place_of(np.where(goes_on, 0, genes[:, 0])))
        strokes.points[:M] = quadratic(start, form.place_of(genes[:, 2]), form.place_of(genes[:, 1]))
        strokes.pieces[:M] = 1
        joined = goes_on & (pen[:, 2] > 0)
        strokes.pressure[:M] = np.stack((np.where(joined, pressure, chosen.pressure), chosen.pressure), 1)
        return ~joined


def _blocks(values: npt.NDArray[np.float32], grid: int) -> npt.NDArray[np.float32]:
    """[R, side, side] → [R, grid, grid]: sums over the pixels whose centres lie in each cell."""
    side = values.shape[1]
    first = np.ceil(np.arange(grid) * side / grid - 0.5).astype(int)
    if side < grid:
        nearest = (np.arange(grid) * side + side // 2) // grid
        return values[:, nearest][:, :, nearest]
    return np.add.reduceat(np.add.reduceat(values, first, 1), first, 2)
