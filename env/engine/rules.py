"""The rules of an episode: its start, frames, items, the respawn after the goal, and its end by time.

They are those of the paper's tasks, as the project's reference page on DeepMind Lab states them; each function works on one row
of the state.
"""

import functools
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from env.engine import motion, philox
from env.engine.compile import Jit
from env.engine.motion import Walls
from env.engine.state import UNREACHABLE
from env.navigation import FRAMES_PER_SECOND, GOAL, STRAWBERRY, STRAWBERRY_FLAG

_CELL = np.float32(100.0)
_HALF_CELL = np.float32(50.0)
_EAST_REACH = np.float32(44.0)
_SIDE_REACH = np.float32(36.0)
_ZERO = np.float32(0.0)
_MILLISECOND = np.float32(0.001)
_DEGREES = np.float32(360.0 / 65536.0)
_FRAMES_PER_SECOND = np.float32(FRAMES_PER_SECOND)
_REST, _AHEAD, _LAST, _FIRST = motion.FRESH_CLOCK


class Controls(NamedTuple):
    """What moves an agent in a frame.

    Attributes:
        degrees: float32, how far the view turns, counter-clockwise.
        forward: -1 backward, 1 forward.
        strafe: -1 left, 1 right.
    """

    degrees: Any
    forward: Any
    strafe: Any


@functools.cache
def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `flood_fill`, `start_episode`, `play_frame`, `play_step`, `write_facts`, `tick`, `set_heading` and
        `heading_after`.
    """
    moves = motion.build(jit)
    tick, turn, heading_of_view = moves.tick, moves.turn, moves.heading_of_view
    accelerate, slide, rounded = moves.accelerate, moves.slide, moves.rounded
    numbers = philox.build(jit)
    draw, below = numbers.draw, numbers.below

    @jit
    def flood_fill(walls, goal, distance, queue, row):
        """Writes row `row` of `distance`, uint16 [N, R*C] by cell from the top: cells of path to the square `goal`."""
        rows, cols = walls.rows, walls.cols
        for cell in range(rows * cols):
            distance[row, cell] = UNREACHABLE
        distance[row, (rows - 1 - goal // cols) * cols + goal % cols] = 0
        queue[row, 0] = goal
        first = 0
        last = 1
        while first < last:
            square = int(queue[row, first])
            first += 1
            cell = (rows - 1 - square // cols) * cols + square % cols
            following = int(distance[row, cell]) + 1
            for side in range(4):
                if walls.faces[walls.maze, square * 4 + side] == 0:
                    if side == 0:
                        step = 1
                    elif side == 1:
                        step = cols
                    elif side == 2:
                        step = -1
                    else:
                        step = -cols
                    beyond = square + step
                    beyond_cell = (rows - 1 - beyond // cols) * cols + beyond % cols
                    if distance[row, beyond_cell] == UNREACHABLE:
                        distance[row, beyond_cell] = following
                        queue[row, last] = beyond
                        last += 1

    @jit
    def is_spawn(pool, state, rules, row, square):
        """Whether an agent may start on a square: the maze and the distance to the goal allow it."""
        if pool.spawn[state.maze[row], square] == 0:
            return False
        cell = (rules.rows - 1 - square // rules.cols) * rules.cols + square % rules.cols
        distance = int(state.distance[row, cell])
        return distance != UNREACHABLE and distance >= rules.spawn_distance

    @jit
    def heading_after(state, row, degrees):
        """The heading without the row's offset, after the view has turned by `degrees`, in 1/65536 turns."""
        return heading_of_view(turn(state.angle[row], degrees))

    @jit
    def set_heading(state, row, without_offset, heading):
        """Sets the offset that turns the heading `without_offset` into `heading`, both in 1/65536 turns."""
        state.offset[row] = heading - without_offset

    @jit
    def spawn(pool, state, rules, facts, row):
        """Puts the agent at rest on a square far enough from the goal, with a random heading, and all items on their squares."""
        cols = rules.cols
        for item in range(state.items.shape[1]):
            home = int(state.homes[row, item])
            state.items[row, item] = home
            if item > 0:
                cell = -1
                if home >= 0:
                    cell = (rules.rows - 1 - home // cols) * cols + home % cols
                    if state.kinds[row, item] == STRAWBERRY:
                        cell = cell | STRAWBERRY_FLAG
                facts.fruit_cells[row, item - 1] = cell
        squares = rules.rows * rules.cols
        count = 0
        for square in range(squares):
            if is_spawn(pool, state, rules, row, square):
                count += 1
        words = draw(state.seed[row], state.stream[row], state.episode[row], philox.SPAWN, state.spawns[row])
        state.spawns[row] += 1
        left = below(words[0], count)
        chosen = 0
        for square in range(squares):
            if is_spawn(pool, state, rules, row, square):
                if left == 0:
                    chosen = square
                left -= 1
        state.position[row, 0] = np.float32(chosen % rules.cols) * _CELL + _HALF_CELL
        state.position[row, 1] = np.float32(chosen // rules.cols) * _CELL + _HALF_CELL
        state.motion[row, 0] = _ZERO
        state.motion[row, 1] = _ZERO
        heading = below(words[1], 65536)
        state.heading[row] = heading
        set_heading(state, row, heading_after(state, row, _ZERO), heading)

    @jit
    def collect(state, rules, facts, row, fruit_only):
        """Removes the item that the agent touches, if any, and returns its kind, else 0."""
        x = state.position[row, 0]
        y = state.position[row, 1]
        ix = int(x / _CELL)
        iy = int(y / _CELL)
        # The box in which an item is touched does not extend beyond its own cell.
        if x - (np.float32(ix) * _CELL + _HALF_CELL) > _EAST_REACH:
            return 0
        if abs(y - (np.float32(iy) * _CELL + _HALF_CELL)) > _SIDE_REACH:
            return 0
        square = iy * rules.cols + ix
        found = int(state.contents[row, square]) - 1
        if found < 0 or state.items[row, found] != square or (fruit_only and found == 0):
            return 0
        state.items[row, found] = -1
        if found > 0:
            facts.fruit_cells[row, found - 1] = -1
        return int(state.kinds[row, found])

    @jit
    def draw_layout(pool, state, rules, row):
        """Draws the maze, the goal and the fruit of the episode."""
        seed = state.seed[row]
        stream = state.stream[row]
        episode = state.episode[row]
        words = draw(seed, stream, episode, philox.MAZE, 0)
        maze = below(words[0], pool.faces.shape[0])
        state.maze[row] = maze
        words = draw(seed, stream, episode, philox.GOAL, 0)
        goal = pool.goal_squares[maze, below(words[0], pool.goal_count[maze])]
        state.goal[row] = goal
        state.homes[row, 0] = goal
        state.kinds[row, 0] = GOAL
        room = state.homes.shape[1] - 1
        for item in range(room):
            square = pool.fruit_squares[maze, item]
            if square == goal:
                square = -1
            state.homes[row, item + 1] = square
            state.kinds[row, item + 1] = pool.fruit_kinds[maze, item]
        if rules.fruit_drawn != 0:
            cells = rules.rows * rules.cols
            left = -1
            for square in range(cells):
                left += int(pool.open[maze, square])
            wanted = int(pool.apples_drawn[maze])
            item = 1
            for square in range(cells):
                if pool.open[maze, square] != 0 and square != goal:
                    words = draw(seed, stream, episode, philox.FRUIT, square)
                    if below(words[0], left) < wanted:
                        state.homes[row, item] = square
                        item += 1
                        wanted -= 1
                    left -= 1
        for square in range(rules.rows * rules.cols):
            state.contents[row, square] = 0
        for item in range(state.homes.shape[1]):
            if state.homes[row, item] >= 0:
                state.contents[row, state.homes[row, item]] = item + 1

    @jit
    def start_episode(pool, state, rules, facts, row, episode_increment):
        """Starts the episode `episode_increment` after the one that `state.stream` and `state.episode` name."""
        state.episode[row] += episode_increment
        draw_layout(pool, state, rules, row)
        walls = Walls(pool.faces, state.maze[row], rules.rows, rules.cols)
        flood_fill(walls, int(state.goal[row]), state.distance, state.queue, row)
        state.angle[row] = _ZERO
        state.spawns[row] = 0
        spawn(pool, state, rules, facts, row)
        state.clock[row, 0] = _REST
        state.clock[row, 1] = _AHEAD
        state.clock[row, 2] = _LAST
        state.clock[row, 3] = _FIRST
        state.frame[row] = 0
        state.turned[row] = 0
        state.leaving[row] = 0
        state.touched[row] = 0
        collect(state, rules, facts, row, True)
        state.ready[row] = 1

    @jit
    def play_frame(pool, state, rules, facts, row, controls, duration):
        """Plays one frame of `duration` milliseconds; returns the kind of item whose reward it gives, 0 for none."""
        given = int(state.touched[row])
        state.touched[row] = 0
        if state.leaving[row] != 0:
            state.leaving[row] = 0
            spawn(pool, state, rules, facts, row)
        else:
            view = turn(state.angle[row], controls.degrees)
            state.angle[row] = view
            before = state.heading[row]
            heading = (heading_of_view(view) + state.offset[row]) & 65535
            state.heading[row] = heading
            state.turned[row] += ((heading - before + 32768) & 65535) - 32768
            seconds = np.float32(duration) * _MILLISECOND
            cos = rules.cosine[heading]
            sin = rules.cosine[(heading - 16384) & 65535]
            vx, vy = state.motion[row, 0], state.motion[row, 1]
            vx, vy = accelerate(vx, vy, controls.forward, controls.strafe, cos, sin, seconds)
            walls = Walls(pool.faces, state.maze[row], rules.rows, rules.cols)
            x, y, vx, vy = slide(walls, state.position[row, 0], state.position[row, 1], vx, vy, seconds)
            state.position[row, 0] = x
            state.position[row, 1] = y
            state.motion[row, 0] = rounded(vx)
            state.motion[row, 1] = rounded(vy)
            if given == GOAL:
                state.leaving[row] = 1
        state.touched[row] = collect(state, rules, facts, row, False)
        state.frame[row] += 1
        return given

    @jit
    def play_step(pool, state, rules, facts, row, action):
        """Repeats an action for the task's frames, or until the episode's end; returns the number of frames."""
        frames = min(rules.action_repeat, rules.episode_frames - int(state.frame[row]))
        reward = _ZERO
        goals = 0
        spawns = state.spawns[row]
        state.turned[row] = 0
        controls = Controls(rules.action_turn[action], int(rules.action_move[action]), int(rules.action_strafe[action]))
        for _ in range(frames):
            duration = tick(state.clock, row)
            given = play_frame(pool, state, rules, facts, row, controls, duration)
            reward += rules.reward[given]
            if given == GOAL:
                goals += 1
        facts.reward[row] = reward
        facts.goals[row] = goals
        facts.respawns[row] = state.spawns[row] - spawns
        ended = state.frame[row] >= rules.episode_frames
        facts.truncated[row] = ended
        if ended:
            state.ready[row] = 0
        return frames

    @jit
    def next_cell(pool, state, rules, row, cell, distance):
        """The cell after `cell` on a shortest path to the goal: by the first side of EAST, NORTH, WEST, SOUTH that is on one."""
        if distance == UNREACHABLE:
            return -1
        if distance > 0:
            maze = state.maze[row]
            square = (rules.rows - 1 - cell // rules.cols) * rules.cols + cell % rules.cols
            for side in range(4):
                if pool.faces[maze, square * 4 + side] == 0:
                    if side == 0:
                        step = 1
                    elif side == 1:
                        step = -rules.cols
                    elif side == 2:
                        step = -1
                    else:
                        step = rules.cols
                    if int(state.distance[row, cell + step]) == distance - 1:
                        return cell + step
        return cell

    @jit
    def write_facts(pool, state, rules, facts, row, frames):
        """Writes velocity, position and the other facts, after a step of `frames` frames; 0 at an episode's start."""
        heading = state.heading[row]
        cos = rules.cosine[heading]
        sin = rules.cosine[(heading - 16384) & 65535]
        vx = state.motion[row, 0]
        vy = state.motion[row, 1]
        facts.velocity[row, 0] = vx * cos + vy * sin
        facts.velocity[row, 1] = vy * cos - vx * sin
        facts.velocity[row, 2] = _ZERO
        facts.velocity[row, 3] = _ZERO
        spin = _ZERO
        if frames > 0:
            spin = np.float32(state.turned[row]) * _DEGREES * _FRAMES_PER_SECOND / np.float32(frames)
        facts.velocity[row, 4] = spin
        facts.velocity[row, 5] = _ZERO
        x = state.position[row, 0]
        y = state.position[row, 1]
        cols = rules.cols
        top = rules.rows - 1
        facts.position[row, 0] = x
        facts.position[row, 1] = y
        facts.heading[row] = np.float32(heading) * _DEGREES
        cell = (top - int(y / _CELL)) * cols + int(x / _CELL)
        if frames == 0 or facts.cell[row] != cell:
            # Within an episode the goal stays, and so does the path from a cell.
            facts.cell[row] = cell
            distance = int(state.distance[row, cell])
            facts.goal_distance[row] = -1 if distance == UNREACHABLE else distance
            facts.next_cell[row] = next_cell(pool, state, rules, row, cell, distance)
        goal = int(state.goal[row])
        facts.goal_cell[row] = (top - goal // cols) * cols + goal % cols
        facts.seconds[row] = np.float32(state.frame[row]) / _FRAMES_PER_SECOND

    return SimpleNamespace(
        flood_fill=flood_fill,
        start_episode=start_episode,
        play_frame=play_frame,
        play_step=play_step,
        write_facts=write_facts,
        tick=tick,
        set_heading=set_heading,
        heading_after=heading_after,
    )
