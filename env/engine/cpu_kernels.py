"""The kernels of the CPU: loops over rows around the device functions."""

import functools
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from env.engine import rules
from env.engine.compile import cpu_kernel, inner
from env.engine.maze_pool import Pool
from env.engine.motion import Walls
from env.engine.native import Native, native
from env.engine.packed_arguments import form_of, unpacker_of, words_maker
from env.engine.render import camera, image
from env.engine.render.buffers import allocate_buffers
from env.engine.render.depth import TARGET_SIZE
from env.engine.rules import Controls
from env.engine.state import World
from env.engine.synchronisation import CLAIMED, EPISODE_INCREMENT, FINISHED, LINE, OPERATION, SLEEPING, THREADS, build

_NO_TURN = np.float32(0.0)


STEP, START, DRAW = range(3)
"""Operations of `advance`."""


def advance_kernel(world: World) -> Native:
    """`advance` for worlds of this form.

    Its arguments are the addresses of the packed world, of the packed buffers and of the synchronisation array; the thread, and
    the generations that it has seen; an operation to publish first and its argument, or -1 and anything. It returns the
    generations that it has seen. It is a thread's part in the operations of a `env.engine.thread_pool.ThreadPool`: STEP, START
    or DRAW. START starts the episode `EPISODE_INCREMENT` after the last, in the rows where the mask is True, and draws only
    those. One kernel for all three, because drawing takes most of the time to compile.
    """
    form = form_of(world)
    if form not in _advance:
        _advance[form] = native("advance", 7, lambda: _define_advance(world), form)
    return _advance[form]


Form = tuple[tuple[str, int], ...]
_advance: dict[Form, Native] = {}
_frame_kernels: dict[Form, SimpleNamespace] = {}


def frame_kernels(world: World) -> SimpleNamespace:
    """The kernels of `env.engine.frame_engine` for worlds of this form."""
    form = form_of(world)
    if form not in _frame_kernels:
        _frame_kernels[form] = _define_frame_kernels(world)
    return _frame_kernels[form]


def _define_advance(example: World) -> Any:
    play, render = rules.build(inner), image.build(inner)
    camera_of = camera.build(inner).camera_of
    start_episode, play_step, write_facts = play.start_episode, play.play_step, play.write_facts
    paint, measure, paint_depth = render.paint, render.measure, render.paint_depth
    target, target_from_buffers = render.target, render.target_from_buffers
    unpack, words = unpacker_of(example), words_maker()
    unpack_buffers = unpacker_of(allocate_buffers(1))
    atomic_add, wait_for_operation, publish = build().atomic_add, build().wait_for_operation, build().publish

    @inner
    def draw(world, buffers, row):
        """Draws what a row sees."""
        picture, sides = world.picture, world.scene.sides
        view = camera_of(world.pool, world.state, world.rules, row)
        if picture.rgb.shape[1] > 0:
            paint(picture.rgb, row, world.scene, view, world.state.items, world.state.kinds, buffers)
        elif picture.depth.shape[1] > 0:
            measure(sides, view, picture.depth.shape[1], buffers)
        if picture.depth.shape[1] > 0:
            paint_depth(picture.depth, row, view.ceiling, buffers)
        if picture.depth_target.shape[1] > 0:
            # A picture of this size has measured the target's columns already.
            if picture.rgb.shape[1] == TARGET_SIZE or picture.depth.shape[1] == TARGET_SIZE:
                target_from_buffers(picture.depth_target, row, view.ceiling, buffers)
            else:
                target(picture.depth_target, row, sides, view)

    @inner
    def execute_row(world, buffers, row, operation, episode_increment):
        """Executes an operation for one row, and draws what the row sees."""
        if operation == START and not world.inputs.mask[row]:
            return
        if operation == STEP and world.state.ready[row] == 0:
            return
        frames = 0
        if operation == STEP:
            frames = play_step(world.pool, world.state, world.rules, world.facts, row, world.inputs.actions[row])
        elif operation == START:
            start_episode(world.pool, world.state, world.rules, world.facts, row, episode_increment)
        if operation != DRAW:
            write_facts(world.pool, world.state, world.rules, world.facts, row, frames)
        draw(world, buffers, row)

    @inner
    def execute_share(world, buffers, sync, thread):
        """Executes the current operation for the rows of this thread, and then for what the others have left of theirs.

        Adjacent rows share cache lines, so each thread begins with a contiguous block of its own.
        """
        rows, threads = world.inputs.mask.shape[0], sync[THREADS]
        operation, episode_increment = sync[OPERATION], sync[EPISODE_INCREMENT]
        for others in range(threads):
            owner = (thread + others) % threads
            begin, end = rows * owner // threads, rows * (owner + 1) // threads
            while True:
                row = begin + atomic_add(sync, CLAIMED + owner * LINE, 1)
                if row >= end:
                    break
                execute_row(world, buffers, row, operation, episode_increment)

    def advance(packed_world, packed_buffers, synchronisation, thread, generation, operation, episode_increment):
        world, buffers, sync = unpack(words(packed_world)), unpack_buffers(words(packed_buffers)), words(synchronisation)
        if operation >= 0:
            publish(sync, operation, episode_increment)
        if thread > 0:
            atomic_add(sync, SLEEPING, -1)
        while thread == 0 or wait_for_operation(sync, generation):
            execute_share(world, buffers, sync, thread)
            generation += 1
            if thread == 0:
                break
            atomic_add(sync, FINISHED, 1)
        return generation

    return advance


def _define_frame_kernels(example: World) -> SimpleNamespace:
    play, render = rules.build(inner), image.build(inner)
    camera_of = camera.build(inner).camera_of
    write_facts = play.write_facts
    tick, play_frame, set_heading, heading_after = play.tick, play.play_frame, play.set_heading, play.heading_after
    measure, planar_depth, upward = render.measure, render.planar_depth, render.upward
    unpack = unpacker_of(example)
    unpack_buffers = unpacker_of(allocate_buffers(1))

    def play_frames(packed_world, orders):
        """Plays one frame of every row, see `env.engine.frame_engine`; writes its duration by the row's clock."""
        world = unpack(packed_world)
        pool, state, shared, facts = world.pool, world.state, world.rules, world.facts
        for row in range(orders.degrees.shape[0]):
            duration = tick(state.clock, row)
            facts.reward[row] = 0
            orders.own_duration[row] = duration
            if orders.duration[row] > 0:
                duration = orders.duration[row]
            controls = Controls(orders.degrees[row], orders.move[row], orders.strafe[row])
            if orders.heading[row] >= 0:
                set_heading(state, row, heading_after(state, row, controls.degrees), orders.heading[row])
            state.turned[row] = 0
            given = play_frame(pool, state, shared, facts, row, controls, duration)
            facts.reward[row] = shared.reward[given]
            write_facts(pool, state, shared, facts, row, 1)

    def place(packed_world, heading):
        """Sets the heading of every row, int32 [N] in 1/65536 turns, and writes its facts."""
        world = unpack(packed_world)
        pool, state, shared, facts = world.pool, world.state, world.rules, world.facts
        for row in range(heading.shape[0]):
            set_heading(state, row, heading_after(state, row, _NO_TURN), heading[row])
            state.heading[row] = heading[row]
            state.turned[row] = 0
            write_facts(pool, state, shared, facts, row, 1)

    def measure_depth(packed_world, packed_buffers, depth):
        """Writes the planar depth of every pixel, in units, to `depth`, float32 [N, n, n]."""
        world = unpack(packed_world)
        buffers = unpack_buffers(packed_buffers)
        size = depth.shape[1]
        for row in range(depth.shape[0]):
            view = camera_of(world.pool, world.state, world.rules, row)
            measure(world.scene.sides, view, size, buffers)
            for i in range(size):
                up = upward(i, size)
                for j in range(size):
                    depth[row, i, j] = planar_depth(buffers.depth[j], up, view.ceiling)

    return SimpleNamespace(
        measure_depth=cpu_kernel(measure_depth),
        play_frames=cpu_kernel(play_frames),
        place=cpu_kernel(place),
    )


class ActionCheck(NamedTuple):
    """Arguments of `action_checker`.

    Attributes:
        actions: [N] int64.
        ready: [N] uint8, 0 where a row's episode is over.
    """

    actions: Any
    ready: Any


@functools.cache
def action_checker() -> Native:
    """(packed `ActionCheck`, its choices, whether rows whose episode is over are passed by) → the first row, or -1 without one,
    whose action is out of range or whose episode is over."""
    example = ActionCheck(np.zeros(1, np.int64), np.zeros(1, np.uint8))

    def define() -> Any:
        unpack, words = unpacker_of(example), words_maker()

        def check_actions(packed, choices, hold_ended):
            actions, ready = unpack(words(packed))
            for row in range(actions.shape[0]):
                if ready[row] == 0 and hold_ended != 0:
                    continue
                if actions[row] < 0 or actions[row] >= choices or ready[row] == 0:
                    return row
            return -1

        return check_actions

    return native("check_actions", 3, define, form_of(example))


class MazeCheck(NamedTuple):
    """Arguments of `maze_checker`.

    Attributes:
        pool: the mazes.
        needed: [M, R*C] uint8, 1 for squares that the task needs, goals and spawns among them.
        distance, queue: [3, R*C] uint16, buffers.
        found: [1] int64; the square that is at fault, where one is.
    """

    pool: Pool
    needed: Any
    distance: Any
    queue: Any
    found: Any


def maze_checker(example: MazeCheck) -> Native:
    """(packed `MazeCheck`, rows, columns, spawn distance, first maze, last maze + 1) → what is wrong with the first faulty maze.

    That is 0 where nothing is; 1 + 2 m where a needed square of maze m cannot be reached; 2 + 2 m where every spawn is too near
    to a goal of maze m.
    """
    form = form_of(example)
    if form not in _maze_checkers:
        _maze_checkers[form] = native("check_mazes", 6, lambda: _define_check(example), form)
    return _maze_checkers[form]


_maze_checkers: dict[Form, Native] = {}


def _define_check(example: MazeCheck) -> Any:
    flood_fill = rules.build(inner).flood_fill
    unpack, words = unpacker_of(example), words_maker()

    @inner
    def check_maze(check, maze, rows, cols, spawn_distance):
        """(0, -1), (1, square that cannot be reached) or (2, square of a goal that every spawn is too near to)."""
        pool, needed, distance, queue = check.pool, check.needed, check.distance, check.queue
        walls = Walls(pool.faces, maze, rows, cols)
        # Passages lead both ways: what is reached from one goal is reached from all, and a path is as long backwards. So the
        # distances from two spawns at opposite ends settle most goals; only the others are searched from.
        origin = int(pool.goal_squares[maze, 0])
        for search in range(3):
            flood_fill(walls, origin, distance, queue, search)
            most = -1
            for square in range(rows * cols):
                reached = int(distance[search, (rows - 1 - square // cols) * cols + square % cols])
                if needed[maze, square] != 0 and reached == 65535:
                    return 1, square
                if pool.spawn[maze, square] != 0 and reached > most:
                    most = reached
                    origin = square
        for candidate in range(pool.goal_count[maze]):
            goal = int(pool.goal_squares[maze, candidate])
            cell = (rows - 1 - goal // cols) * cols + goal % cols
            if max(int(distance[1, cell]), int(distance[2, cell])) >= spawn_distance:
                continue
            flood_fill(walls, goal, distance, queue, 0)
            far = False
            for square in range(rows * cols):
                reached = int(distance[0, (rows - 1 - square // cols) * cols + square % cols])
                if pool.spawn[maze, square] != 0 and reached >= spawn_distance:
                    far = True
            if not far:
                return 2, goal
        return 0, -1

    def check_mazes(packed, rows, cols, spawn_distance, first, last):
        check = unpack(words(packed))
        for maze in range(first, last):
            fault, square = check_maze(check, maze, rows, cols, spawn_distance)
            if fault != 0:
                check.found[0] = square
                return fault + 2 * maze
        return 0

    return check_mazes
