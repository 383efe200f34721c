"""What happens in a world: how an episode starts, a frame passes, items are taken, the goal respawns, and time ends it.

The rules are those of the paper's tasks as the project's reference page on DeepMind Lab states them; each function works on one
row of the state.
"""

import functools
from types import SimpleNamespace

import numpy as np

from env.engine import motion
from env.engine import philox as random
from env.engine.compile import Jit
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


@functools.cache
def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `flood`, `begin`, `frame`, `step`, `tell`, `tick`, `face` and `heading_after`.
    """
    move = motion.build(jit)
    tick, turn, heading_of_view = move.tick, move.turn, move.heading_of_view
    accelerate, slide, whole = move.accelerate, move.slide, move.whole
    numbers = random.build(jit)
    draw, below = numbers.draw, numbers.below

    @jit
    def flood(faces, maze, rows, cols, goal, distance, queue, row):
        """Writes row `row` of `distance`, uint16 [N, R*C] by cell from the top: cells of path to the place `goal`."""
        for cell in range(rows * cols):
            distance[row, cell] = UNREACHABLE
        distance[row, (rows - 1 - goal // cols) * cols + goal % cols] = 0
        queue[row, 0] = goal
        first = 0
        last = 1
        while first < last:
            place = int(queue[row, first])
            first += 1
            cell = (rows - 1 - place // cols) * cols + place % cols
            following = int(distance[row, cell]) + 1
            for side in range(4):
                if faces[maze, place * 4 + side] == 0:
                    if side == 0:
                        step = 1
                    elif side == 1:
                        step = cols
                    elif side == 2:
                        step = -1
                    else:
                        step = -cols
                    beyond = place + step
                    beyond_cell = (rows - 1 - beyond // cols) * cols + beyond % cols
                    if distance[row, beyond_cell] == UNREACHABLE:
                        distance[row, beyond_cell] = following
                        queue[row, last] = beyond
                        last += 1

    @jit
    def is_spawn(pool, state, rules, row, place):
        """Whether an agent may start at a place: the maze and the distance to the goal allow it."""
        if pool.spawn[state.maze[row], place] == 0:
            return False
        cell = (rules.rows - 1 - place // rules.cols) * rules.cols + place % rules.cols
        distance = int(state.distance[row, cell])
        return distance != UNREACHABLE and distance >= rules.spawn_distance

    @jit
    def heading_after(state, row, degrees):
        """What the view alone would make the heading after it turned by `degrees`, in 1/65536 turns."""
        return heading_of_view(turn(state.angle[row], degrees))

    @jit
    def face(state, row, seen, heading):
        """Makes the heading `heading` where the view alone makes it `seen`, both in 1/65536 turns."""
        state.offset[row] = heading - seen

    @jit
    def spawn(pool, state, rules, facts, row):
        """Puts the agent to rest in a cell far enough from the goal, with any heading, and all items in their places."""
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
        places = rules.rows * rules.cols
        count = 0
        for place in range(places):
            if is_spawn(pool, state, rules, row, place):
                count += 1
        words = draw(rules.seed[0], state.stream[row], state.episode[row], random.SPAWN, state.spawns[row])
        state.spawns[row] += 1
        left = below(words[0], count)
        chosen = 0
        for place in range(places):
            if is_spawn(pool, state, rules, row, place):
                if left == 0:
                    chosen = place
                left -= 1
        state.position[row, 0] = np.float32(chosen % rules.cols) * _CELL + _HALF_CELL
        state.position[row, 1] = np.float32(chosen // rules.cols) * _CELL + _HALF_CELL
        state.motion[row, 0] = _ZERO
        state.motion[row, 1] = _ZERO
        heading = below(words[1], 65536)
        state.heading[row] = heading
        face(state, row, heading_after(state, row, _ZERO), heading)

    @jit
    def touch(state, rules, facts, row, fruit_only):
        """Takes the item that the agent touches, if any, and returns its kind, else 0."""
        x = state.position[row, 0]
        y = state.position[row, 1]
        ix = int(x / _CELL)
        iy = int(y / _CELL)
        # The box around an item reaches no farther than its own cell.
        if x - (np.float32(ix) * _CELL + _HALF_CELL) > _EAST_REACH:
            return 0
        if abs(y - (np.float32(iy) * _CELL + _HALF_CELL)) > _SIDE_REACH:
            return 0
        place = iy * rules.cols + ix
        found = int(state.contents[row, place]) - 1
        if found < 0 or state.items[row, found] != place or (fruit_only and found == 0):
            return 0
        state.items[row, found] = -1
        if found > 0:
            facts.fruit_cells[row, found - 1] = -1
        return int(state.kinds[row, found])

    @jit
    def lay_out(pool, state, rules, row):
        """Draws the maze, the goal and the fruit of the episode."""
        seed = rules.seed[0]
        stream = state.stream[row]
        episode = state.episode[row]
        words = draw(seed, stream, episode, random.MAZE, 0)
        maze = below(words[0], pool.faces.shape[0])
        state.maze[row] = maze
        words = draw(seed, stream, episode, random.GOAL, 0)
        goal = pool.goal_places[maze, below(words[0], pool.goal_count[maze])]
        state.goal[row] = goal
        state.homes[row, 0] = goal
        state.kinds[row, 0] = GOAL
        room = state.homes.shape[1] - 1
        for item in range(room):
            place = pool.fruit_places[maze, item]
            if place == goal:
                place = -1
            state.homes[row, item + 1] = place
            state.kinds[row, item + 1] = pool.fruit_kinds[maze, item]
        if rules.fruit_drawn != 0:
            cells = rules.rows * rules.cols
            left = -1
            for place in range(cells):
                left += int(pool.open[maze, place])
            wanted = int(pool.apples_drawn[maze])
            item = 1
            for place in range(cells):
                if pool.open[maze, place] != 0 and place != goal:
                    words = draw(seed, stream, episode, random.FRUIT, place)
                    if below(words[0], left) < wanted:
                        state.homes[row, item] = place
                        item += 1
                        wanted -= 1
                    left -= 1
        for place in range(rules.rows * rules.cols):
            state.contents[row, place] = 0
        for item in range(state.homes.shape[1]):
            if state.homes[row, item] >= 0:
                state.contents[row, state.homes[row, item]] = item + 1

    @jit
    def begin(pool, state, rules, facts, row, episodes_on):
        """Starts the episode that is `episodes_on` after the one that `state.stream` and `state.episode` name."""
        state.episode[row] += episodes_on
        lay_out(pool, state, rules, row)
        goal = int(state.goal[row])
        flood(pool.faces, state.maze[row], rules.rows, rules.cols, goal, state.distance, state.queue, row)
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
        touch(state, rules, facts, row, True)
        state.ready[row] = 1

    @jit
    def frame(pool, state, rules, facts, row, degrees, forward, strafe, duration):
        """Plays one frame of `duration` milliseconds; returns the kind of item whose reward it gives, 0 for none."""
        given = int(state.touched[row])
        state.touched[row] = 0
        if state.leaving[row] != 0:
            state.leaving[row] = 0
            spawn(pool, state, rules, facts, row)
        else:
            view = turn(state.angle[row], degrees)
            state.angle[row] = view
            before = state.heading[row]
            heading = (heading_of_view(view) + state.offset[row]) & 65535
            state.heading[row] = heading
            state.turned[row] += ((heading - before + 32768) & 65535) - 32768
            seconds = np.float32(duration) * _MILLISECOND
            cos = rules.cosine[heading]
            sin = rules.cosine[(heading - 16384) & 65535]
            vx, vy = accelerate(state.motion[row, 0], state.motion[row, 1], forward, strafe, cos, sin, seconds)
            x, y, vx, vy = slide(
                pool.faces,
                state.maze[row],
                rules.rows,
                rules.cols,
                state.position[row, 0],
                state.position[row, 1],
                vx,
                vy,
                seconds,
            )
            state.position[row, 0] = x
            state.position[row, 1] = y
            state.motion[row, 0] = whole(vx)
            state.motion[row, 1] = whole(vy)
            if given == GOAL:
                state.leaving[row] = 1
        state.touched[row] = touch(state, rules, facts, row, False)
        state.frame[row] += 1
        return given

    @jit
    def step(pool, state, rules, facts, row, action):
        """Holds an action for the task's frames, or until the episode's end."""
        frames = min(rules.action_repeat, rules.episode_frames - int(state.frame[row]))
        reward = _ZERO
        goals = 0
        spawns = state.spawns[row]
        state.turned[row] = 0
        degrees = rules.action_turn[action]
        forward = int(rules.action_move[action])
        strafe = int(rules.action_strafe[action])
        for _ in range(frames):
            duration = tick(state.clock, row)
            given = frame(pool, state, rules, facts, row, degrees, forward, strafe, duration)
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
    def tell(state, rules, facts, row, frames):
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
        facts.cell[row] = (top - int(y / _CELL)) * cols + int(x / _CELL)
        goal = int(state.goal[row])
        facts.goal_cell[row] = (top - goal // cols) * cols + goal % cols
        facts.seconds[row] = np.float32(state.frame[row]) / _FRAMES_PER_SECOND

    return SimpleNamespace(
        flood=flood,
        begin=begin,
        frame=frame,
        step=step,
        tell=tell,
        tick=tick,
        face=face,
        heading_after=heading_after,
    )
