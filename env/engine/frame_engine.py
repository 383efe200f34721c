"""An engine that is moved frame by frame, from any state: to play recordings, and to test the rules."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from env.engine.cpu_kernels import frame_kernels
from env.engine.engine import Engine
from env.engine.motion import turn_of_pixels
from env.engine.packed_arguments import pack_arguments
from env.engine.placement import first_misplaced
from env.engine.render.buffers import allocate_buffers
from env.navigation import VELOCITY_BOUND
from maze_gen.errors import InputError

MAX_LOOK = 10_000
"""Pixels a frame."""
MAX_DURATION = 1000
"""Milliseconds of a frame; the clock's own last 14 to 17."""


class FrameInputs(NamedTuple):
    """The inputs of one frame in each row.

    Attributes:
        degrees: [N] float32, how far the view turns, counter-clockwise.
        move, strafe: [N] int32, -1 backward and 1 forward; -1 left and 1 right.
        duration: [N] int32, milliseconds, or 0 for the row's own clock.
        heading: [N] int32, the heading of this frame in 1/65536 turns; or -1 for the view's own.
        own_duration: [N] int32, written: the milliseconds of the row's own clock.
    """

    degrees: npt.NDArray[np.float32]
    move: npt.NDArray[np.int32]
    strafe: npt.NDArray[np.int32]
    duration: npt.NDArray[np.int32]
    heading: npt.NDArray[np.int32]
    own_duration: npt.NDArray[np.int32]


class FrameEngine(Engine):
    """An `Engine` that also plays single frames, on the CPU. Time does not end its episodes."""

    def put(
        self,
        position: npt.ArrayLike,
        heading: npt.ArrayLike,
        velocity: npt.ArrayLike,
        clock: npt.ArrayLike | None = None,
    ) -> None:
        """Sets the agents' poses and observes.

        Args:
            position: [N, 2], x and y in units, clear of all walls.
            heading: [N] integers, in 1/65536 turns.
            velocity: [N, 2] along x and y in units/s, integers.
            clock: [N, 4] integers, see `env.engine.motion.FRESH_CLOCK`; without it the clocks are unchanged.

        Raises:
            InputError: a pose in which no agent can be, named with its row.
        """
        at = np.asarray(position, dtype=np.float32)
        self._check_positions(at, clear=True)
        speed = _checked("velocity", velocity, VELOCITY_BOUND, np.float32)
        if clock is not None:
            self._world.state.clock[:] = _checked("clock", clock, MAX_DURATION, np.int32)
        self._place(at, heading, speed)

    def look_from(self, position: npt.ArrayLike, heading: npt.ArrayLike) -> None:
        """Sets the agents' poses, at rest, and observes; an agent may overlap walls, and must not be moved from there.

        Args:
            position: [N, 2], x and y in units, in open cells.
            heading: [N] integers, in 1/65536 turns.

        Raises:
            InputError: a position in no open cell, named with its row.
        """
        at = np.asarray(position, dtype=np.float32)
        self._check_positions(at, clear=False)
        self._place(at, heading, np.zeros_like(at))

    def remove_goals(self) -> None:
        """Removes the goals of the current episodes, for recordings of mazes whose goal is unknown."""
        self._world.state.homes[:, 0] = -1
        self._world.state.items[:, 0] = -1
        self._runner.draw()

    def planar_depth(self, size: int = 84) -> npt.NDArray[np.float32]:
        """[N, size, size] float32, planar depth in units of every pixel of the agents' present views, without items."""
        depth = np.zeros((self.num_envs, size, size), dtype=np.float32)
        buffers = allocate_buffers(size)
        frame_kernels(self._world).measure_depth(pack_arguments(self._world), pack_arguments(buffers), depth)
        return depth

    def play_frame(
        self,
        look: npt.ArrayLike,
        move: npt.ArrayLike,
        strafe: npt.ArrayLike,
        duration: npt.ArrayLike = 0,
        heading: npt.ArrayLike = -1,
        draw: bool = True,
    ) -> npt.NDArray[np.int32]:
        """Plays one frame of every row; `outcome.reward` is the frame's reward.

        Args:
            look: [N] or one, pixels that the view turns to the right.
            move, strafe: [N] or one, -1 backward and 1 forward; -1 left and 1 right.
            duration: [N] or one, milliseconds of the frame, 0 for the row's own clock.
            heading: [N] or one, the heading in 1/65536 turns; -1 for the view's own.
            draw: whether to observe afterwards.

        Returns:
            [N] int32, the milliseconds of the frame by each row's own clock.

        Raises:
            InputError: a value out of range, named with its row.
        """
        n = self.num_envs
        pixels = _checked("look", np.broadcast_to(np.asarray(look), n), MAX_LOOK, np.int64)
        inputs = FrameInputs(
            degrees=np.array([turn_of_pixels(int(count)) for count in pixels], dtype=np.float32),
            move=_checked("move", np.broadcast_to(np.asarray(move), n), 1, np.int32),
            strafe=_checked("strafe", np.broadcast_to(np.asarray(strafe), n), 1, np.int32),
            duration=_checked("duration", np.broadcast_to(np.asarray(duration), n), MAX_DURATION, np.int32),
            heading=_checked("heading", np.broadcast_to(np.asarray(heading), n), 65535, np.int32),
            own_duration=np.zeros(n, dtype=np.int32),
        )
        frame_kernels(self._world).play_frames(pack_arguments(self._world), inputs)
        if draw:
            self._runner.draw()
        return inputs.own_duration

    def _check_positions(self, position: npt.NDArray[np.float32], clear: bool) -> None:
        world = self._world
        if position.shape != (self.num_envs, 2):
            raise InputError(f"positions have shape {position.shape}, expected ({self.num_envs}, 2)")
        size = (world.rules.rows, world.rules.cols)
        row = first_misplaced(world.pool.faces, world.pool.open, world.state.maze, size, position, clear)
        if row >= 0:
            where = "clear of all walls" if clear else "in an open cell"
            raise InputError(f"row {row}: position ({position[row, 0]:g}, {position[row, 1]:g}) is not {where}")

    def _place(self, position: npt.NDArray[np.float32], heading: npt.ArrayLike, velocity: npt.NDArray[np.float32]) -> None:
        state = self._world.state
        state.position[:] = position
        state.motion[:] = velocity
        turns = np.array(np.broadcast_to(np.asarray(heading, dtype=np.int32) & 65535, self.num_envs))
        frame_kernels(self._world).place(pack_arguments(self._world), turns)
        self._runner.draw()


def _checked(name: str, values: npt.ArrayLike, bound: float, dtype: type) -> npt.NDArray[Any]:
    """A copy of values in [-bound, bound].

    Raises:
        InputError: one is out of range, named with its row.
    """
    array = np.asarray(values)
    # Written so that NaN is out of range.
    wrong = np.argwhere(~((array >= -bound) & (array <= bound)))
    if len(wrong):
        raise InputError(f"row {wrong[0][0]}: {name} is {array[tuple(wrong[0])]}, expected {-bound} to {bound}")
    return np.array(array, dtype=dtype)
