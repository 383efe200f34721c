"""The kernels of the CPU: loops over rows around the device functions."""

import functools
from types import SimpleNamespace

import numpy as np

from env.engine import rules
from env.engine.compile import cpu, cpu_kernel

_NO_TURN = np.float32(0.0)


@functools.cache
def kernels() -> SimpleNamespace:
    """The compiled kernels: `begin`, `step`, `check_actions`, `check_maze`; each works on rows [first, last) of its arrays."""
    play = rules.build(cpu)
    begin_row, step_row, tell, flood = play.begin, play.step, play.tell, play.flood
    tick, frame, face, heading_after = play.tick, play.frame, play.face, play.heading_after

    def begin(pool, state, shared, facts, mask, first, last):
        """Starts the episodes of the rows where `mask` is True."""
        for row in range(first, last):
            if mask[row]:
                begin_row(pool, state, shared, row)
                tell(state, shared, facts, row, 0)

    def step(pool, state, shared, facts, actions, first, last):
        """Plays one agent step of every row."""
        for row in range(first, last):
            frames = step_row(pool, state, shared, facts, row, actions[row])
            tell(state, shared, facts, row, frames)

    def play_frames(pool, state, shared, facts, orders, first, last):
        """Plays one frame of every row, as `env.engine.frames.Orders` says, and writes how long it took by the row's clock."""
        for row in range(first, last):
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

    def place(state, shared, facts, heading, first, last):
        """Makes every row look to `heading`, int32 [N] in 1/65536 turns, and tells where it is."""
        for row in range(first, last):
            face(state, row, heading_after(state, row, _NO_TURN), heading[row])
            state.heading[row] = heading[row]
            state.turned[row] = 0
            tell(state, shared, facts, row, 1)

    def check_actions(actions, ready, choices):
        """The first row whose action is out of range or whose episode is over; -1 where there is none."""
        for row in range(actions.shape[0]):
            if actions[row] < 0 or actions[row] >= choices or ready[row] == 0:
                return row
        return -1

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

    return SimpleNamespace(
        begin=cpu_kernel(begin),
        step=cpu_kernel(step),
        play_frames=cpu_kernel(play_frames),
        place=cpu_kernel(place),
        check_actions=cpu_kernel(check_actions),
        check_maze=cpu_kernel(check_maze),
    )
