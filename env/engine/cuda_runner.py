"""The engine on an NVIDIA GPU: kernels around the device functions, with one GPU thread for each row or column.

All arrays are torch tensors on the GPU, so observations reach torch without a copy; kernels run on torch's current stream. Once
the kernels are compiled, a `step` whose actions are a tensor on the GPU can be captured in a CUDA graph: it copies nothing to or
from the host and does not synchronise.

Under Numba's CUDA simulator the arrays are NumPy's, and the kernels run as plain Python.
"""

import functools
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import cuda
from numba.cuda.core import config  # type: ignore[import-not-found]

from env.batch import Episodes, checked_actions, checked_rows
from env.engine import compile as compilers
from env.engine import rules
from env.engine.compile import CudaKernel
from env.engine.render import camera, image
from env.engine.state import World
from env.navigation import NUM_ACTIONS
from maze_gen.errors import InputError

SIMULATED = bool(numba.config.ENABLE_CUDASIM)  # type: ignore[attr-defined]


@functools.cache
def functions() -> SimpleNamespace:
    """The kernels before they are compiled: `start`, `step`, `draw` and `target`."""
    play, render = rules.build(compilers.cuda), image.build(compilers.cuda)
    camera_of = camera.build(compilers.cuda).camera_of
    start_episode, play_step, write_facts = play.start_episode, play.play_step, play.write_facts
    paint_column, measure_column = render.paint_column, render.measure_column
    paint_depth_column, target_column = render.paint_depth_column, render.target_column

    def start(pool, state, shared, facts, mask, episode_increment):
        """Starts the episode `episode_increment` after the last, in the rows where `mask` is True."""
        row = cuda.grid(1)  # type: ignore[call-arg]
        if row < mask.shape[0] and mask[row]:
            start_episode(pool, state, shared, facts, row, episode_increment)
            write_facts(pool, state, shared, facts, row, 0)

    def step(pool, state, shared, facts, actions, fault):
        """Plays one agent step of every row; a row that cannot be stepped is left unchanged and written to `fault`, from 1."""
        row = cuda.grid(1)  # type: ignore[call-arg]
        if row < actions.shape[0]:
            action = actions[row]
            if action < 0 or action >= NUM_ACTIONS or state.ready[row] == 0:
                fault[0] = row + 1
            else:
                frames = play_step(pool, state, shared, facts, row, action)
                write_facts(pool, state, shared, facts, row, frames)

    def draw(pool, state, shared, scene, picture, mask):
        """Draws one column of what a row sees, for the rows where `mask` is True; one thread for each column."""
        index = cuda.grid(1)  # type: ignore[call-arg]
        size = max(picture.rgb.shape[1], picture.depth.shape[1])
        row = index // size
        column = index % size
        if row < mask.shape[0] and mask[row]:
            view = camera_of(pool, state, shared, row)
            if picture.rgb.shape[1] > 0:
                distance = paint_column(picture.rgb, row, column, scene, view, state.items, state.kinds)
            else:
                distance = measure_column(column, size, scene.sides, view)
            if picture.depth.shape[1] > 0:
                paint_depth_column(picture.depth, row, column, view.ceiling, distance)

    def target(pool, state, shared, scene, picture, mask):
        """Writes one column of the depth target of the rows where `mask` is True; one thread for each column."""
        index = cuda.grid(1)  # type: ignore[call-arg]
        row = index // 16
        if row < mask.shape[0] and mask[row]:
            target_column(picture.depth_target, row, index % 16, scene.sides, camera_of(pool, state, shared, row))

    return SimpleNamespace(start=start, step=step, draw=draw, target=target)


@functools.cache
def kernels() -> SimpleNamespace:
    """The kernels, compiled when they are first launched."""
    return SimpleNamespace(**{name: CudaKernel(function) for name, function in vars(functions()).items()})


class CudaRunner:
    """Runs the kernels on the GPU, on torch's current stream."""

    def __init__(self, num_envs: int) -> None:
        """Raises InputError where there is no GPU that Numba and torch can use."""
        self._num_envs = num_envs
        self._tensors: dict[int, Any] = {}
        if not SIMULATED:
            _check_gpu()
        self._kernels = kernels()
        self._fault = self.zeros((1,), np.int64)
        self._all_rows = self.bring(np.ones(num_envs, dtype=np.bool_))

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Zeros that the kernels read and write."""
        if SIMULATED:
            return np.zeros(shape, dtype=dtype)
        import torch

        # Zeroed as bytes: torch fills few of its unsigned types.
        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        tensor = torch.zeros(count, dtype=torch.uint8, device="cuda").view(getattr(torch, np.dtype(dtype).name)).reshape(shape)
        array = cuda.as_cuda_array(tensor)
        self._tensors[id(array)] = tensor
        return array

    def bring(self, array: npt.NDArray[Any]) -> Any:
        """Copies a NumPy array to the GPU."""
        copy = self.zeros(array.shape, array.dtype)
        self.write(copy, array)
        return copy

    def shown(self, array: Any) -> Any:
        """The torch tensor that shares an array's memory."""
        return array if SIMULATED else self._tensors[id(array)]

    def take(self, world: World) -> None:
        """Keeps the arrays that the kernels work on."""
        self._world = world

    def read(self, array: Any) -> npt.NDArray[Any]:
        """A copy of an array for the host."""
        return array.copy() if SIMULATED else self._tensors[id(array)].cpu().numpy()

    def write(self, array: Any, values: Any) -> None:
        """Copies values, of the host or a tensor, into an array."""
        if SIMULATED:
            array[...] = values
            return
        import torch

        self._tensors[id(array)].copy_(values if self._is_tensor(values) else torch.from_numpy(np.array(values)))

    def reset(
        self, seed: npt.NDArray[np.int64] | int, streams: npt.NDArray[np.int64], episodes: npt.NDArray[np.int64] | int = 0
    ) -> None:
        """Starts an episode of every row, the first of its stream unless `episodes` [N] numbers it."""
        self.write(self._world.state.seed, np.broadcast_to(np.asarray(seed, dtype=np.int64), self._num_envs))
        self.write(self._world.state.stream, streams)
        self.write(self._world.state.episode, np.broadcast_to(np.asarray(episodes, dtype=np.int64), self._num_envs))
        self.write(self._fault, np.zeros(1, dtype=np.int64))
        self.write(self._world.inputs.mask, np.ones(self._num_envs, dtype=np.bool_))
        self._start(0)

    def reset_rows(self, rows: Any) -> None:
        """Starts the next episodes of the rows where `rows` is True; a tensor on the GPU is not copied to the host."""
        if self._is_tensor(rows):
            self._expect_rows("rows", rows)
        else:
            rows = checked_rows(rows, self._num_envs)
        self.write(self._world.inputs.mask, rows)
        self._start(1)

    def seek(self, episodes: Episodes) -> None:
        """Makes the next `reset_rows` start these episodes."""
        state, rows = self._world.state, episodes.rows
        for array, values in (
            (state.seed, episodes.seeds),
            (state.stream, episodes.streams),
            (state.episode, episodes.numbers - 1),
        ):
            self.write(array, np.where(rows, values, self.read(array)))

    def step(self, actions: Any, hold_ended: bool = False) -> None:
        """Plays one agent step of every row.

        Actions on the host are checked first. Actions on the GPU are checked there: a row whose action is out of range or whose
        episode is over is left unchanged, and the next `check` raises.

        Raises:
            InputError: an action is no integer in [0, 8), or a row's episode is over.
        """
        if hold_ended:
            raise InputError("hold_ended: a GPU's rows are stepped together; start ended episodes before the next step")
        if self._is_tensor(actions):
            self._expect_rows("actions", actions)
            self.write(self._world.inputs.actions, actions)
            self._play()
            return
        self.write(self._world.inputs.actions, checked_actions(actions, self.read(self._world.state.ready), NUM_ACTIONS))
        self._play()

    def check(self) -> None:
        """Synchronises with the GPU and reports what it refused since the last reset.

        Raises:
            InputError: a row was stepped with an action out of range, or past its truncation.
        """
        fault = int(self.read(self._fault)[0])
        if fault:
            raise InputError(
                f"row {fault - 1}: a step with an action out of range, expected [0, {NUM_ACTIONS}), or past a truncation"
            )

    def draw(self) -> None:
        """Draws what every row sees now."""
        self._draw(self._all_rows)

    def close(self) -> None:
        """Frees the GPU's memory."""
        self._tensors.clear()

    def _start(self, episode_increment: int) -> None:
        world = self._world
        arguments = (world.pool, world.state, world.rules, world.facts, world.inputs.mask, episode_increment)
        self._kernels.start.launch(self._num_envs, _stream(), *arguments)
        self._draw(world.inputs.mask)

    def _play(self) -> None:
        world = self._world
        self._kernels.step.launch(
            self._num_envs, _stream(), world.pool, world.state, world.rules, world.facts, self._world.inputs.actions, self._fault
        )
        self._draw(self._all_rows)

    def _draw(self, mask: Any) -> None:
        world = self._world
        seen = (world.pool, world.state, world.rules, world.scene, world.picture, mask)
        size = max(world.picture.rgb.shape[1], world.picture.depth.shape[1])
        if size > 0:
            self._kernels.draw.launch(self._num_envs * size, _stream(), *seen)
        if world.picture.depth_target.shape[1] > 0:
            self._kernels.target.launch(self._num_envs * 16, _stream(), *seen)

    def _expect_rows(self, name: str, array: Any) -> None:
        if tuple(array.shape) != (self._num_envs,):
            raise InputError(f"{name} have shape {tuple(array.shape)}, expected ({self._num_envs},)")

    def _is_tensor(self, array: Any) -> bool:
        return not SIMULATED and hasattr(array, "__cuda_array_interface__")


def _stream() -> Any:
    if SIMULATED:
        return 0
    import torch

    pointer = torch.cuda.current_stream().cuda_stream
    return cuda.external_stream(pointer) if pointer else 0


def _check_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        raise InputError("device 'cuda': this torch finds no NVIDIA GPU; use device 'cpu'")
    if not cuda.is_available():
        raise InputError("device 'cuda': Numba finds no NVIDIA driver; use device 'cpu'")
    if torch.cuda.current_device() != 0:
        raise InputError(f"device 'cuda': torch's current device is {torch.cuda.current_device()}, the engine runs on 0 only")
    # Numba warns at every step of a small batch that much of the GPU is idle.
    config.CUDA_LOW_OCCUPANCY_WARNINGS = 0
    # Torch creates the context that both of them use.
    torch.zeros(1, device="cuda")
