"""The engine on an NVIDIA GPU: kernels with a thread of the GPU for each row around the device functions.

All arrays are torch tensors on the GPU, so observations reach torch without a copy; kernels run on torch's current stream. Once
a `step` has compiled them, a `step` whose actions are a tensor on the GPU can be captured in a CUDA graph: it copies nothing to
or from the host and waits for nothing.

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

from env.engine import rules
from env.engine.compile import CudaKernel
from env.engine.compile import cuda as compile_for_gpu
from env.engine.render import image as render
from env.engine.state import World
from env.navigation import NUM_ACTIONS
from maze_gen.errors import InputError

SIMULATED = bool(numba.config.ENABLE_CUDASIM)  # type: ignore[attr-defined]


@functools.cache
def functions() -> SimpleNamespace:
    """The kernels before they are compiled: `begin`, `step`, `draw` and `aim`."""
    play, paint = rules.build(compile_for_gpu), render.build(compile_for_gpu)
    begin_row, step_row, tell = play.begin, play.step, play.tell
    paint_column, measure_column = paint.paint_column, paint.measure_column
    paint_depth_column, aim_column = paint.paint_depth_column, paint.aim_column

    def begin(pool, state, shared, facts, mask, episodes_on):
        """Starts episodes of the rows where `mask` is True: the one `episodes_on` after the last."""
        row = cuda.grid(1)  # type: ignore[call-arg]
        if row < mask.shape[0] and mask[row]:
            begin_row(pool, state, shared, facts, row, episodes_on)
            tell(state, shared, facts, row, 0)

    def step(pool, state, shared, facts, actions, fault):
        """Plays one agent step of every row; a row that can't be played stays as it is and is named in `fault`, from 1."""
        row = cuda.grid(1)  # type: ignore[call-arg]
        if row < actions.shape[0]:
            action = actions[row]
            if action < 0 or action >= NUM_ACTIONS or state.ready[row] == 0:
                fault[0] = row + 1
            else:
                frames = step_row(pool, state, shared, facts, row, action)
                tell(state, shared, facts, row, frames)

    def draw(pool, state, shared, scene, picture, mask):
        """Draws one column of what a row sees, for the rows where `mask` is True; a thread a column."""
        index = cuda.grid(1)  # type: ignore[call-arg]
        size = max(picture.rgb.shape[1], picture.depth.shape[1])
        row = index // size
        column = index % size
        if row < mask.shape[0] and mask[row]:
            maze = state.maze[row]
            ceiling = int(pool.ceiling[maze])
            heading = state.heading[row]
            cos = shared.cosine[heading]
            sin = shared.cosine[(heading - 16384) & 65535]
            x = state.position[row, 0]
            y = state.position[row, 1]
            if picture.rgb.shape[1] > 0:
                distance = paint_column(
                    picture.rgb,
                    row,
                    column,
                    scene.sides,
                    maze,
                    shared.cols,
                    int(pool.theme[maze]),
                    ceiling,
                    x,
                    y,
                    cos,
                    sin,
                    state.items,
                    state.kinds,
                    scene.textures,
                )
            else:
                distance = measure_column(column, size, scene.sides, maze, shared.cols, x, y, cos, sin)
            if picture.depth.shape[1] > 0:
                paint_depth_column(picture.depth, row, column, ceiling, distance)

    def aim(pool, state, shared, scene, picture, mask):
        """Writes one column of the depth target of the rows where `mask` is True; a thread a column."""
        index = cuda.grid(1)  # type: ignore[call-arg]
        row = index // 16
        if row < mask.shape[0] and mask[row]:
            maze = state.maze[row]
            heading = state.heading[row]
            aim_column(
                picture.depth_target,
                row,
                index % 16,
                scene.sides,
                maze,
                shared.cols,
                int(pool.ceiling[maze]),
                state.position[row, 0],
                state.position[row, 1],
                shared.cosine[heading],
                shared.cosine[(heading - 16384) & 65535],
            )

    return SimpleNamespace(begin=begin, step=step, draw=draw, aim=aim)


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
        """A NumPy array, copied to where the kernels read it."""
        there = self.zeros(array.shape, array.dtype)
        self._set(there, array)
        return there

    def shown(self, array: Any) -> Any:
        """What callers see of an array: a torch tensor on the GPU."""
        return array if SIMULATED else self._tensors[id(array)]

    def take(self, world: World) -> None:
        """Takes the arrays that the kernels will work on."""
        self._world = world

    def reset(self, seed: int, streams: npt.NDArray[np.int64]) -> None:
        """Starts episode 0 of every row."""
        self._set(self._world.rules.seed, np.array([seed], dtype=np.int64))
        self._set(self._world.state.stream, streams)
        self._set(self._world.state.episode, np.zeros(self._num_envs, dtype=np.int64))
        self._set(self._fault, np.zeros(1, dtype=np.int64))
        self._set(self._world.inputs.mask, np.ones(self._num_envs, dtype=np.bool_))
        self._begin(0)

    def reset_rows(self, rows: Any) -> None:
        """Starts the next episodes of the rows where `rows` is True; a tensor on the GPU is read there."""
        if not self._is_tensor(rows):
            rows = np.asarray(rows)
            if rows.dtype != np.bool_:
                raise InputError(f"rows have type {rows.dtype}, expected booleans")
        self._expect_rows("rows", rows)
        self._set(self._world.inputs.mask, rows)
        self._begin(1)

    def step(self, actions: Any) -> None:
        """Plays one agent step of every row.

        Actions on the host are checked first. Actions on the GPU are checked there: a row whose action is out of range or whose
        episode is over stays as it is, and the next `check` raises.

        Raises:
            InputError: an action is no integer in [0, 8), or a row's episode is over.
        """
        if self._is_tensor(actions):
            self._expect_rows("actions", actions)
            self._set(self._world.inputs.actions, actions)
            self._play()
            return
        chosen = np.asarray(actions)
        self._expect_rows("actions", chosen)
        if chosen.dtype.kind not in "iu":
            raise InputError(f"actions have type {chosen.dtype}, expected integers in [0, {NUM_ACTIONS})")
        wrong = np.flatnonzero((chosen < 0) | (chosen >= NUM_ACTIONS))
        if len(wrong):
            raise InputError(f"row {wrong[0]}: action {chosen[wrong[0]]} is out of range, expected [0, {NUM_ACTIONS})")
        over = np.flatnonzero(self._on_host(self._world.state.ready) == 0)
        if len(over):
            raise InputError(f"row {over[0]}: its episode was truncated; call reset_rows before the next step")
        self._set(self._world.inputs.actions, chosen.astype(np.int64))
        self._play()

    def check(self) -> None:
        """Waits for the GPU and raises what it found wrong since the last reset.

        Raises:
            InputError: a step was asked of a row with an action out of range, or past its truncation.
        """
        fault = int(self._on_host(self._fault)[0])
        if fault:
            raise InputError(
                f"row {fault - 1}: a step with an action out of range, expected [0, {NUM_ACTIONS}), or past a truncation"
            )

    def draw(self) -> None:
        """Draws what every row sees now."""
        self._draw(self._all_rows)

    def close(self) -> None:
        """Lets the GPU's memory go."""
        self._tensors.clear()

    def _begin(self, episodes_on: int) -> None:
        world = self._world
        self._kernels.begin.launch(
            self._num_envs, _stream(), world.pool, world.state, world.rules, world.facts, self._world.inputs.mask, episodes_on
        )
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
            self._kernels.aim.launch(self._num_envs * 16, _stream(), *seen)

    def _expect_rows(self, name: str, array: Any) -> None:
        if tuple(array.shape) != (self._num_envs,):
            raise InputError(f"{name} have shape {tuple(array.shape)}, expected ({self._num_envs},)")

    def _is_tensor(self, array: Any) -> bool:
        return not SIMULATED and hasattr(array, "__cuda_array_interface__")

    def _set(self, array: Any, values: Any) -> None:
        if SIMULATED:
            array[...] = values
            return
        import torch

        self._tensors[id(array)].copy_(values if self._is_tensor(values) else torch.from_numpy(np.array(values)))

    def _on_host(self, array: Any) -> npt.NDArray[Any]:
        return array if SIMULATED else self._tensors[id(array)].cpu().numpy()


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
    # Small batches are what they are: no warning at every step that they leave much of the GPU idle.
    config.CUDA_LOW_OCCUPANCY_WARNINGS = 0
    # Torch makes the context that both of them use.
    torch.zeros(1, device="cuda")
