"""A batch of canvases behind the one interface of worlds."""

import copy
from collections.abc import Collection, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from env.batch import Arrays, BatchEnv, Episodes, Outcome, as_array, checked_rows, checked_streams
from env.painting import draws
from env.painting.brush import Brush
from env.painting.distance import squared_distances
from env.painting.pen import Pen
from env.painting.program import open_brush
from env.painting.strokes import Strokes, length
from env.painting.task import NOISE, PaintingTask
from maze_gen.errors import InputError

PER_CENT = 100 / 255**2


class PaintingBatch(BatchEnv):
    """N canvases of one task, painted together by one brush; all arrays are NumPy's."""

    def __init__(self, task: PaintingTask, num_envs: int, observe: Collection[str] | None = None, threads: int = 1) -> None:
        """Opens the brush and allocates all arrays that `step` writes.

        Raises:
            InputError: a brush that isn't there, or an array that canvases don't have.
        """
        self.task, self.num_envs, self.spec = task, num_envs, task.spec()
        self._settings = {"num_envs": num_envs, "observe": observe, "threads": threads}
        n = num_envs
        every = {**self.spec.observations, **self.spec.privileged}
        arrays = {name: np.zeros((n, *array.shape), array.dtype) for name, array in every.items()}
        self._arrays = arrays
        wanted = self.spec.perceived if observe is None else observe
        self.observation = {name: arrays[name] for name in self.spec.observed(wanted)}
        self.privileged = {name: arrays[name] for name in self.spec.privileged}
        counts = {name: np.zeros(n, np.int32) for name in self.spec.statistics}
        self.outcome = Outcome(np.zeros(n, np.float32), np.zeros(n, np.bool_), np.zeros(n, np.bool_), counts)
        self.strokes = Strokes(
            arrays["pieces"], arrays["points"], arrays["stroke_radius"], arrays["stroke_pressure"], arrays["stroke_colour"]
        )
        self._pen = Pen(task, n, arrays)
        self._brush: Brush = open_brush(task.brush, self.strokes, arrays["canvas"], task.hardness, threads, task.scale)
        self._seeds, self._streams, self._episodes, self._time = (np.zeros(n, np.int64) for _ in range(4))
        self._distance, self._before = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._playing = np.zeros(n, np.bool_)
        self._started = self._closed = False

    def reset(self, seed: int, streams: npt.ArrayLike | None = None) -> Arrays:
        self._refuse_closed("reset")
        self._streams[:] = checked_streams(seed, streams, self.num_envs)
        self._seeds[:] = seed
        self._episodes[:] = 0
        self._started = True
        for array in (self.outcome.reward, *self.outcome.statistics.values()):
            array[:] = 0
        return self._begin(np.ones(self.num_envs, np.bool_))

    def reset_rows(self, rows: npt.ArrayLike) -> Arrays:
        self._refuse_closed("reset_rows")
        self._refuse_unstarted("reset_rows")
        # A copy: the rows may be named by `outcome.terminated` itself.
        mask = checked_rows(rows, self.num_envs).copy()
        if mask.any():
            self._episodes[mask] += 1
            self._begin(mask)
        return self.observation

    def seek(self, episodes: Episodes) -> None:
        self._refuse_closed("seek")
        self._refuse_unstarted("seek")
        rows = episodes.rows
        self._seeds[rows], self._streams[rows] = episodes.seeds[rows], episodes.streams[rows]
        self._episodes[rows] = episodes.numbers[rows] - 1

    def step(self, actions: npt.ArrayLike, hold_ended: bool = False) -> Arrays:
        self._refuse_closed("step")
        self._refuse_unstarted("step")
        chosen = self._checked(actions, hold_ended)
        playing, outcome, arrays = self._playing.copy(), self.outcome, self._arrays
        self._time += playing
        self._pen.draw(chosen, playing, self._time >= self.task.steps, self.strokes)
        self._brush.lay()
        outcome.reward[:] = 0
        if self.task.has_target:
            self._before[:] = self._distance
            self._measure()
            fall = (self._before - self._distance).astype(np.float64) * (PER_CENT / self._entries)
            outcome.reward[playing] = fall[playing].astype(np.float32)
        outcome.reward[playing] -= self._penalties()[playing]
        for name, counted in (("strokes", self._pen.begun), ("moves", self.strokes.pieces == 0)):
            outcome.statistics[name][:] = counted & playing
        arrays["result"][playing] = arrays["canvas"][playing]
        outcome.terminated[playing] = (self._time >= self.task.steps)[playing]
        self._playing &= ~outcome.terminated
        self._show_time()
        return self.observation

    def _penalties(self) -> npt.NDArray[np.float32]:
        taken = self._pen.begun * np.float32(self.task.stroke_penalty)
        if self.task.length_penalty:
            taken = taken + length(self.strokes.points, self.strokes.pieces) * np.float32(self.task.length_penalty)
        return taken.astype(np.float32)

    def _checked(self, actions: npt.ArrayLike, hold_ended: bool) -> npt.NDArray[np.int64]:
        """The actions [N, K], 0 in rows that are held.

        Raises:
            InputError: see `BatchEnv.step`.
        """
        chosen, sizes = as_array("actions", actions), self.spec.action.sizes
        if chosen.shape != (self.num_envs, len(sizes)) or chosen.dtype.kind not in "iu":
            expected = (self.num_envs, len(sizes))
            raise InputError(f"actions have shape {chosen.shape} and type {chosen.dtype}, expected {expected} integers")
        ended = np.flatnonzero(~self._playing)
        if len(ended) and not hold_ended:
            raise InputError(f"row {ended[0]}: its episode has ended; call reset_rows before the next step")
        wrong = np.argwhere(((chosen < 0) | (chosen >= np.array(sizes))) & self._playing[:, None])
        if len(wrong):
            row, part = wrong[0]
            name = self.spec.action.parts[part].name
            raise InputError(f"row {row}: {name} {chosen[row, part]} is out of range, expected [0, {sizes[part]})")
        return np.where(self._playing[:, None], chosen, 0).astype(np.int64)

    def _begin(self, rows: npt.NDArray[np.bool_]) -> Arrays:
        arrays, task = self._arrays, self.task
        self._brush.clear(rows)
        self._time[rows] = 0
        self._playing[rows] = True
        self.outcome.terminated[rows] = False
        self._pen.begin(rows, self.strokes)
        identity = self._seeds[rows], self._streams[rows], self._episodes[rows]
        arrays["noise"][rows] = draws.noise(identity, NOISE)
        arrays["sample"][rows] = task.pictures.images[draws.pictures(identity, len(task.pictures), draws.SAMPLE)]
        arrays["picture"][rows] = arrays["label"][rows] = -1
        if task.has_target:
            drawn = draws.pictures(identity, len(task.pictures))
            arrays["picture"][rows] = drawn
            arrays["label"][rows] = task.pictures.labels[drawn]
            arrays["target"][rows] = task.pictures.images[drawn]
            self._measure()
        self._show_time()
        return self.observation

    @property
    def _entries(self) -> int:
        return self.task.side**2 * self.task.action.channels

    def _measure(self) -> None:
        squared_distances(self._arrays["canvas"], self._arrays["target"], self._distance)
        self._arrays["distance"][:] = self._distance * (PER_CENT / self._entries)

    def _show_time(self) -> None:
        self._arrays["time"][:, 0] = self._time / self.task.steps
        self._arrays["time"][:, 1] = self.task.steps / 100

    def pictures(self, size: int) -> npt.NDArray[np.uint8]:
        self._refuse_closed("pictures")
        self._refuse_unstarted("pictures")
        nearest = ((np.arange(size) + 0.5) * self.task.side / size).astype(np.int64)
        drawn = self._arrays["canvas"][:, nearest][:, :, nearest]
        return np.ascontiguousarray(np.broadcast_to(drawn, (*drawn.shape[:3], 3)))

    def state_arrays(self) -> dict[str, npt.NDArray[Any]] | None:
        """Copies of everything that changes; None with a brush of libmypaint, which keeps more than can be read."""
        self._refuse_closed("state_arrays")
        self._refuse_unstarted("state_arrays")
        return None if self.task.brush != "stamp" else {name: array.copy() for name, array in self._state().items()}

    def restore_state(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        self._refuse_closed("restore_state")
        if self.task.brush != "stamp":
            return super().restore_state(arrays)
        own = self._state()
        for name in sorted(set(own) ^ set(arrays)):
            raise InputError(f"state: array {name!r} is {'missing' if name in own else 'unknown'}")
        for name, place in own.items():
            array = np.asarray(arrays[name])
            if array.shape != place.shape or array.dtype != place.dtype:
                found = f"has shape {array.shape} and type {array.dtype}"
                raise InputError(f"state: array {name!r} {found}, expected {place.shape} and {place.dtype}")
        self._check_values(arrays)
        for name, place in own.items():
            place[...] = arrays[name]
        if self.task.has_target:
            self._arrays["target"][:] = self.task.pictures.images[self._arrays["picture"]]
            self._arrays["label"][:] = self.task.pictures.labels[self._arrays["picture"]]
            self._measure()
        self._started = True
        return self.observation

    def _check_values(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Raises InputError for what compiled code or an index can't use."""
        most = self.task.most_pieces
        bounds = {
            "time": (0, self.task.steps),
            "seed": (0, 2**63 - 1),
            "episode": (0, 2**62),
            "path_points": (0, self.task.steps - 1),
            "pieces": (0, most),
            "picture": (0, len(self.task.pictures) - 1) if self.task.has_target else (-1, -1),
            **dict.fromkeys(("pen_place", "pen_pressure", "path", "path_radius", "path_colour"), (0, 1)),
        }
        for name, (low, high) in bounds.items():
            # Written so that NaN is out of range.
            wrong = np.argwhere(~((arrays[name] >= low) & (arrays[name] <= high)))
            if len(wrong):
                at = tuple(wrong[0].tolist())
                raise InputError(f"state: {name}{list(at)} is {arrays[name][at]}, expected {low} to {high}")
        wrong = np.flatnonzero(arrays["playing"] != (arrays["time"] < self.task.steps))
        if len(wrong):
            row = wrong[0]
            raise InputError(
                f"state: playing[{row}] is {arrays['playing'][row]} after {arrays['time'][row]} of {self.task.steps} steps"
            )
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise InputError(f"state: array {name!r} has entries that aren't finite")

    def _state(self) -> dict[str, npt.NDArray[Any]]:
        derived = ("target", "label", "distance", "time")
        arrays = {name: array for name, array in self._arrays.items() if name not in derived}
        own = {
            "seed": self._seeds,
            "stream": self._streams,
            "episode": self._episodes,
            "time": self._time,
            "playing": self._playing,
        }
        outcome = {"reward": self.outcome.reward, "terminated": self.outcome.terminated, **self.outcome.statistics}
        return arrays | own | outcome | self._pen.state()

    def clone(self) -> Self:
        if self.task.brush != "stamp":
            return super().clone()
        other = object.__new__(type(self))
        other.__setstate__(self.__getstate__())
        return other

    def __getstate__(self) -> dict[str, Any]:
        state = self.state_arrays() if self._started and not self._closed else None
        if self._started and not self._closed and state is None:
            raise InputError(f"a batch of {self.task.name!r} with libmypaint cannot be copied or pickled")
        return {"task": self.task, "settings": copy.copy(self._settings), "closed": self._closed, "state": state}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__init__(saved["task"], **saved["settings"])
        if saved["state"] is not None:
            self.restore_state(saved["state"])
            self._show_time()
        if saved["closed"]:
            self.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._brush.close()
