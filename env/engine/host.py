"""The engine on the CPU: kernels that loop over rows around the device functions, and the threads that run them."""

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from env.engine import render, rules
from env.engine.compile import cpu, cpu_kernel
from env.engine.crew import Crew, Work
from env.engine.pool import Pool
from env.engine.state import World
from env.engine.table import claim, form_of, reader_of, table_of
from env.task import NUM_ACTIONS, Task
from maze_gen.errors import InputError

_NO_TURN = np.float32(0.0)


_CHUNKS = 8
"""Shares of rows that each thread claims, on average: more even out better, fewer cost less."""


def kernels(world: World) -> SimpleNamespace:
    """The compiled kernels for worlds of this form."""
    form = form_of(world)
    if form not in _compiled:
        _compiled[form] = _compile(world)
    return _compiled[form]


_compiled: dict[tuple[tuple[str, int], ...], SimpleNamespace] = {}


def _compile(example: World) -> SimpleNamespace:
    play, paint = rules.build(cpu), render.build(cpu)
    begin_row, step_row, tell = play.begin, play.step, play.tell
    tick, frame, face, heading_after = play.tick, play.frame, play.face, play.heading_after
    paint_row, measure, paint_depth, aim = paint.paint, paint.measure, paint.paint_depth, paint.aim
    planar_depth, upward = paint.planar_depth, paint.upward
    read = reader_of(example)
    read_scratch = reader_of(render.allocate_scratch(1))

    @cpu
    def measure_row(world, scratch, row, size):
        """Writes the depths of all columns of a row's view into the scratch."""
        heading = world.state.heading[row]
        measure(
            world.scene.sides,
            world.state.maze[row],
            world.rules.cols,
            world.state.position[row, 0],
            world.state.position[row, 1],
            world.rules.cosine[heading],
            world.rules.cosine[(heading - 16384) & 65535],
            size,
            scratch,
        )

    @cpu
    def see(world, scratch, row):
        """Draws what a row sees."""
        state, scene, picture, cols = world.state, world.scene, world.picture, world.rules.cols
        maze = state.maze[row]
        ceiling = int(world.pool.ceiling[maze])
        heading = state.heading[row]
        cos = world.rules.cosine[heading]
        sin = world.rules.cosine[(heading - 16384) & 65535]
        x = state.position[row, 0]
        y = state.position[row, 1]
        if picture.rgb.shape[1] > 0:
            paint_row(
                picture.rgb,
                row,
                scene.sides,
                maze,
                cols,
                int(world.pool.theme[maze]),
                ceiling,
                x,
                y,
                cos,
                sin,
                state.items,
                state.kinds,
                scene.textures,
                scratch,
            )
        elif picture.depth.shape[1] > 0:
            measure_row(world, scratch, row, picture.depth.shape[1])
        if picture.depth.shape[1] > 0:
            paint_depth(picture.depth, row, ceiling, scratch)
        if picture.depth_target.shape[1] > 0:
            aim(picture.depth_target, row, scene.sides, maze, cols, ceiling, x, y, cos, sin)

    def begin(table, scratch_table, claims, chunk, episodes_on):
        """Starts episodes of the rows where the mask is True: the one `episodes_on` after the last."""
        world = read(table)
        scratch = read_scratch(scratch_table)
        mask = world.inputs.mask
        while True:
            first = claim(claims, chunk)  # type: ignore[call-arg]
            if first >= mask.shape[0]:
                return
            for row in range(first, min(first + chunk, mask.shape[0])):
                if mask[row]:
                    begin_row(world.pool, world.state, world.rules, row, episodes_on)
                    tell(world.state, world.rules, world.facts, row, 0)
                    see(world, scratch, row)

    def step(table, scratch_table, claims, chunk):
        """Plays one agent step of every row."""
        world = read(table)
        scratch = read_scratch(scratch_table)
        actions = world.inputs.actions
        while True:
            first = claim(claims, chunk)  # type: ignore[call-arg]
            if first >= actions.shape[0]:
                return
            for row in range(first, min(first + chunk, actions.shape[0])):
                frames = step_row(world.pool, world.state, world.rules, world.facts, row, actions[row])
                tell(world.state, world.rules, world.facts, row, frames)
                see(world, scratch, row)

    def play_frames(table, orders):
        """Plays one frame of every row, as `env.engine.frames.Orders` says, and writes how long it took by the row's clock."""
        world = read(table)
        pool, state, shared, facts = world.pool, world.state, world.rules, world.facts
        for row in range(orders.degrees.shape[0]):
            duration = tick(state.clock, row)
            facts.reward[row] = 0
            orders.own_duration[row] = duration
            if orders.duration[row] > 0:
                duration = orders.duration[row]
            degrees = orders.degrees[row]
            if orders.heading[row] >= 0:
                face(state, row, heading_after(state, row, degrees), orders.heading[row])
            state.turned[row] = 0
            given = frame(pool, state, shared, row, degrees, orders.move[row], orders.strafe[row], duration)
            facts.reward[row] = shared.reward[given]
            tell(state, shared, facts, row, 1)

    def place(table, heading):
        """Makes every row look to `heading`, int32 [N] in 1/65536 turns, and tells where it is."""
        world = read(table)
        state, shared, facts = world.state, world.rules, world.facts
        for row in range(heading.shape[0]):
            face(state, row, heading_after(state, row, _NO_TURN), heading[row])
            state.heading[row] = heading[row]
            state.turned[row] = 0
            tell(state, shared, facts, row, 1)

    def draw(table, scratch_table):
        """Draws what every row sees."""
        world = read(table)
        scratch = read_scratch(scratch_table)
        for row in range(world.inputs.mask.shape[0]):
            see(world, scratch, row)

    def measure_depth(table, scratch_table, depth):
        """Writes the planar depth of every pixel, in units, into `depth`, float32 [N, n, n]."""
        world = read(table)
        scratch = read_scratch(scratch_table)
        size = depth.shape[1]
        for row in range(depth.shape[0]):
            measure_row(world, scratch, row, size)
            ceiling = int(world.pool.ceiling[world.state.maze[row]])
            for i in range(size):
                up = upward(i, size)
                for j in range(size):
                    depth[row, i, j] = planar_depth(scratch.depth[j], up, ceiling)

    return SimpleNamespace(
        begin=cpu_kernel(begin),
        step=cpu_kernel(step),
        draw=cpu_kernel(draw),
        measure_depth=cpu_kernel(measure_depth),
        play_frames=cpu_kernel(play_frames),
        place=cpu_kernel(place),
    )


@cpu_kernel
def check_actions(actions, ready, choices):
    """The first row whose action is out of range or whose episode is over; -1 where there is none."""
    for row in range(actions.shape[0]):
        if actions[row] < 0 or actions[row] >= choices or ready[row] == 0:
            return row
    return -1


@functools.cache
def _maze_checker() -> Any:
    flood = rules.build(cpu).flood

    def check_maze(pool, needed, maze, rows, cols, spawn_distance, distance, queue):
        """Whether the task can be played in a maze.

        Returns:
            (0, -1) if so; (1, place) for a needed place that can't be reached; (2, goal) for a goal that every spawn is too
            near to. `needed` is uint8 [M, R*C], `distance` and `queue` are working space of one row.
        """
        for candidate in range(pool.goal_count[maze]):
            goal = int(pool.goal_places[maze, candidate])
            flood(pool.faces, maze, rows, cols, goal, distance, queue, 0)
            far = False
            for place in range(rows * cols):
                reached = int(distance[0, (rows - 1 - place // cols) * cols + place % cols])
                if needed[maze, place] != 0 and reached == 65535:
                    return 1, place
                if pool.spawn[maze, place] != 0 and reached != 65535 and reached >= spawn_distance:
                    far = True
            if not far:
                return 2, goal
        return 0, -1

    return cpu_kernel(check_maze)


class HostRunner:
    """Runs the kernels on the CPU, the rows split among threads; all arrays are NumPy's."""

    def __init__(self, num_envs: int, threads: int) -> None:
        self._threads = threads = min(threads, num_envs)
        self._num_envs = num_envs
        self._chunk = max(1, num_envs // (threads * _CHUNKS)) if threads > 1 else num_envs
        self._claims = np.zeros(1, dtype=np.int64)
        self._crew = Crew(threads)
        self._episodes_on = 0

    @staticmethod
    def zeros(shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
        """Zeros that the kernels read and write."""
        return np.zeros(shape, dtype=dtype)

    @staticmethod
    def bring(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A NumPy array, where the kernels read it."""
        return array

    @staticmethod
    def shown(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What callers see of an array."""
        return array

    def take(self, world: World) -> None:
        """Takes the arrays that the kernels will work on."""
        self._world = world
        self._kernels = kernels(world)
        self._table = table_of(world)
        size = max(world.picture.rgb.shape[1], world.picture.depth.shape[1], 1)
        self._scratches = [render.allocate_scratch(size) for _ in range(self._threads)]
        self._scratch_tables = [table_of(scratch) for scratch in self._scratches]

    def reset(self, seed: int, streams: npt.NDArray[np.int64]) -> None:
        """Starts episode 0 of every row."""
        self._world.rules.seed[0] = seed
        self._world.state.stream[:] = streams
        self._world.state.episode[:] = 0
        self._world.inputs.mask[:] = True
        self._episodes_on = 0
        self._run(self._begin)

    def reset_rows(self, rows: npt.ArrayLike) -> None:
        """Starts the next episodes of the rows where `rows` is True."""
        mask = np.asarray(rows)
        if mask.shape != (self._num_envs,) or mask.dtype != np.bool_:
            raise InputError(f"rows have shape {mask.shape} and type {mask.dtype}, expected {self._num_envs} booleans")
        self._world.inputs.mask[:] = mask
        self._episodes_on = 1
        self._run(self._begin)

    def step(self, actions: npt.ArrayLike) -> None:
        """Plays one agent step of every row.

        Raises:
            InputError: an action is no integer in [0, 8), or a row's episode is over.
        """
        chosen = np.asarray(actions)
        if chosen.shape != (self._num_envs,) or chosen.dtype.kind not in "iu":
            raise InputError(
                f"actions have shape {chosen.shape} and type {chosen.dtype}, expected {self._num_envs} integers in "
                f"[0, {NUM_ACTIONS})"
            )
        np.copyto(self._world.inputs.actions, chosen, casting="same_kind")
        ready = self._world.state.ready
        row = check_actions(self._world.inputs.actions, ready, NUM_ACTIONS)
        if row >= 0:
            if not ready[row]:
                raise InputError(f"row {row}: its episode was truncated; call reset_rows before the next step")
            raise InputError(f"row {row}: action {chosen[row]} is out of range, expected [0, {NUM_ACTIONS})")
        self._run(self._step)

    def draw(self) -> None:
        """Draws what every row sees now."""
        self._kernels.draw(self._table, self._scratch_tables[0])

    def close(self) -> None:
        """Ends the threads."""
        self._crew.close()

    def _run(self, work: Work) -> None:
        self._claims[0] = 0
        self._crew.run(work)

    def _begin(self, thread: int) -> None:
        self._kernels.begin(self._table, self._scratch_tables[thread], self._claims, self._chunk, self._episodes_on)

    def _step(self, thread: int) -> None:
        self._kernels.step(self._table, self._scratch_tables[thread], self._claims, self._chunk)


def check_mazes(task: Task, pool: Pool) -> None:
    """Raises InputError where the task's rules can't be kept in one of its mazes: see `env.engine.pool.pack`."""
    rows, cols = task.mazes[0].rows, task.mazes[0].cols
    needed = pool.spawn.copy()
    if task.fruit == "episode":
        needed |= pool.open
    for maze, places in enumerate(pool.goal_places):
        needed[maze, places[: pool.goal_count[maze]]] = 1
        fruit = pool.fruit_places[maze]
        needed[maze, fruit[fruit >= 0]] = 1
    distance = np.zeros((1, rows * cols), dtype=np.uint16)
    queue = np.zeros((1, rows * cols), dtype=np.uint16)
    for maze in range(len(task.mazes)):
        fault, place = _maze_checker()(pool, needed, maze, rows, cols, task.spawn_distance, distance, queue)
        if fault:
            where = f"task {task.name!r}, maze {maze}"
            row, col = rows - 1 - place // cols, place % cols
            if fault == 1:
                raise InputError(f"{where}: the task needs the cell in row {row}, column {col}, which can't be reached")
            raise InputError(
                f"{where}: no spawn is {task.spawn_distance} cells of path or more from the goal in row {row}, column {col}"
            )
