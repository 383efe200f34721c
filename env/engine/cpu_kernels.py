"""The kernels of the CPU: loops over rows around the device functions."""

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np

from env.engine import rules
from env.engine.compile import cpu_kernel, inner
from env.engine.meeting import ASLEEP, CLAIMED, DONE, EPISODES_ON, LINE, THREADS, WHAT, add, next_piece
from env.engine.packed_arguments import form_of, reader_of
from env.engine.render import image as render
from env.engine.render.depth import TARGET_SIZE
from env.engine.state import World

_NO_TURN = np.float32(0.0)


STEP, BEGIN, LOOK = range(3)
"""What `advance` does."""


def kernels(world: World) -> SimpleNamespace:
    """The compiled kernels for worlds of this form."""
    form = form_of(world)
    if form not in _compiled:
        _compiled[form] = _compile(world)
    return _compiled[form]


_compiled: dict[tuple[tuple[str, int], ...], SimpleNamespace] = {}


def _compile(example: World) -> SimpleNamespace:
    play, paint = rules.build(inner), render.build(inner)
    begin_row, step_row, tell = play.begin, play.step, play.tell
    tick, frame, face, heading_after = play.tick, play.frame, play.face, play.heading_after
    paint_row, measure, paint_depth, aim = paint.paint, paint.measure, paint.paint_depth, paint.aim
    aim_measured = paint.aim_measured
    planar_depth, upward = paint.planar_depth, paint.upward
    read = reader_of(example)
    read_scratch = reader_of(render.allocate_scratch(1))

    @inner
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

    @inner
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
            # A picture of this size has looked along the target's columns already.
            if picture.rgb.shape[1] == TARGET_SIZE or picture.depth.shape[1] == TARGET_SIZE:
                aim_measured(picture.depth_target, row, ceiling, scratch)
            else:
                aim(picture.depth_target, row, scene.sides, maze, cols, ceiling, x, y, cos, sin)

    @inner
    def do_row(world, scratch, row, what, episodes_on):
        """Does one row's part of a piece of work, and draws what the row sees."""
        if what == BEGIN and not world.inputs.mask[row]:
            return
        frames = 0
        if what == STEP:
            frames = step_row(world.pool, world.state, world.rules, world.facts, row, world.inputs.actions[row])
        elif what == BEGIN:
            begin_row(world.pool, world.state, world.rules, world.facts, row, episodes_on)
        if what != LOOK:
            tell(world.state, world.rules, world.facts, row, frames)
        see(world, scratch, row)

    @inner
    def share(world, scratch, meeting, thread):
        """Does the present piece of work for the rows of this thread, and then for what the others have left of theirs.

        Rows that lie side by side share cache lines, so each thread has rows of its own to begin with.
        """
        rows, threads = world.inputs.mask.shape[0], meeting[THREADS]
        what, episodes_on = meeting[WHAT], meeting[EPISODES_ON]
        for others in range(threads):
            owner = (thread + others) % threads
            begin, end = rows * owner // threads, rows * (owner + 1) // threads
            while True:
                row = begin + add(meeting, CLAIMED + owner * LINE, 1)  # type: ignore[call-arg]
                if row >= end:
                    break
                do_row(world, scratch, row, what, episodes_on)

    def advance(table, scratch_table, meeting, thread, seen):
        """A thread's part in the work of a `env.engine.crew.Crew`: STEP, BEGIN or LOOK.

        BEGIN starts the episode `EPISODES_ON` after the last, of the rows where the mask is True, and draws only those. One
        kernel for all three, because the drawing in it takes most of the time to compile.
        """
        world = read(table)
        scratch = read_scratch(scratch_table)
        if thread > 0:
            add(meeting, ASLEEP, -1)  # type: ignore[call-arg]
        while thread == 0 or next_piece(meeting, seen):
            share(world, scratch, meeting, thread)
            seen += 1
            if thread == 0:
                break
            add(meeting, DONE, 1)  # type: ignore[call-arg]
        return seen

    def play_frames(table, orders):
        """Plays one frame of every row as `env.engine.frame_engine.Orders` says; writes its duration by the row's clock."""
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
            given = frame(pool, state, shared, facts, row, degrees, orders.move[row], orders.strafe[row], duration)
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
        advance=cpu_kernel(advance),
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
def maze_checker() -> Any:
    flood = rules.build(inner).flood

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
