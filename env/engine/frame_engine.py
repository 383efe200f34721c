"""An engine that is moved frame by frame, from any state: to play recordings, and to test the rules."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from env.engine.cpu_kernels import kernels
from env.engine.engine import Engine
from env.engine.motion import turn_of_pixels
from env.engine.packed_arguments import table_of
from env.engine.render.image import allocate_scratch


class Orders(NamedTuple):
    """What the next frame does in each row.

    Attributes:
        degrees: [N] float32, how far the view turns, counter-clockwise.
        move, strafe: [N] int32, -1 back and 1 forward; -1 left and 1 right.
        duration: [N] int32, milliseconds, or 0 for what the row's clock says.
        heading: [N] int32, where the agent looks in this frame, in 1/65536 turns; or -1 for where its view turned.
        own_duration: [N] int32, written: the milliseconds that the row's clock says.
    """

    degrees: npt.NDArray[np.float32]
    move: npt.NDArray[np.int32]
    strafe: npt.NDArray[np.int32]
    duration: npt.NDArray[np.int32]
    heading: npt.NDArray[np.int32]
    own_duration: npt.NDArray[np.int32]


class FrameEngine(Engine):
    """An `Engine` that also plays single frames. The time of an episode doesn't end it here."""

    def put(
        self,
        position: npt.ArrayLike,
        heading: npt.ArrayLike,
        velocity: npt.ArrayLike,
        clock: npt.ArrayLike | None = None,
    ) -> None:
        """Puts the agents somewhere and observes.

        Args:
            position: [N, 2], x and y in units, in an open cell.
            heading: [N] integers, in 1/65536 turns.
            velocity: [N, 2] along x and y in units/s, whole numbers.
            clock: [N, 4] integers, see `env.engine.motion.FRESH_CLOCK`; without it the clocks go on.
        """
        state = self._world.state
        state.position[:] = np.asarray(position, dtype=np.float32)
        state.motion[:] = np.asarray(velocity, dtype=np.float32)
        if clock is not None:
            state.clock[:] = np.asarray(clock, dtype=np.int32)
        look_to = np.asarray(heading, dtype=np.int32) & 65535
        kernels(self._world).place(table_of(self._world), look_to)
        self._runner.draw()

    def remove_goals(self) -> None:
        """Takes the goals out of the worlds, for recordings of mazes whose goal nobody knows."""
        self._world.state.homes[:, 0] = -1
        self._world.state.items[:, 0] = -1
        self._runner.draw()

    def planar_depth(self, size: int = 84) -> npt.NDArray[np.float32]:
        """[N, size, size] float32, planar depth in units of every pixel of what the agents see now, without items."""
        depth = np.zeros((self.num_envs, size, size), dtype=np.float32)
        scratch = allocate_scratch(size)
        kernels(self._world).measure_depth(table_of(self._world), table_of(scratch), depth)
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
        """Plays one frame of every row; `outcome.reward` has what it gives.

        Args:
            look: [N] integers, pixels that the view turns to the right.
            move, strafe: [N] integers, -1 back and 1 forward; -1 left and 1 right.
            duration: [N] or one, milliseconds that the frame lasts, 0 for what the row's clock says.
            heading: [N] or one, where the agent looks, in 1/65536 turns; -1 for where its view turned.
            draw: whether to draw what is seen then.

        Returns:
            [N] int32, the milliseconds that each row's clock gives the frame.
        """
        n = self.num_envs
        pixels = np.broadcast_to(np.asarray(look), n)
        whole = [np.array(np.broadcast_to(np.asarray(value), n), dtype=np.int32) for value in (move, strafe)]
        given = [np.array(np.broadcast_to(np.asarray(value), n), dtype=np.int32) for value in (duration, heading)]
        turns = np.array([turn_of_pixels(int(count)) for count in pixels], dtype=np.float32)
        orders = Orders(turns, whole[0], whole[1], given[0], given[1], np.zeros(n, dtype=np.int32))
        kernels(self._world).play_frames(table_of(self._world), orders)
        if draw:
            self._runner.draw()
        return orders.own_duration
