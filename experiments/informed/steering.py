"""The next action of agents that walk towards a place and look where they go, by the engine's own motion simulated ahead."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from env.engine.compile import cpu_kernel
from env.engine.motion import Walls
from env.engine.oracle import AHEAD, FAR, NODES, field_value, pose_of, repeat_action

_ZERO, _TWO = np.float32(0.0), np.float32(2.0)
_HALF_TURN, _TURN = np.float32(180.0), np.float32(360.0)


class Gaze(NamedTuple):
    """Where agents should look.

    Attributes:
        facing: [N] float32, degrees; NaN where an agent may look anywhere.
        price: [2] float32: units of way that a degree off is worth, and degrees off that cost nothing.
    """

    facing: npt.NDArray[np.float32]
    price: npt.NDArray[np.float32]


@cpu_kernel
def steer(actions, walls, fields, agents, gaze, repeat):
    """Writes the best next action of every agent: `env.engine.oracle.plan`, with a price on looking elsewhere.

    Args:
        actions: [N] int32, written.
        walls: [N, P * 4] uint8, the walls that each agent believes in.
        fields: [N, rows * NODES, cols * NODES] float32, see `env.engine.oracle.field`.
        agents: `env.engine.oracle.Agents`; its `maze` and `field` are rows of the above.
        gaze: see `Gaze`.
        repeat: frames of an agent step.
    """
    rows, cols = fields.shape[1] // NODES, fields.shape[2] // NODES
    for row in range(len(actions)):
        own = Walls(walls, agents.maze[row], rows, cols)
        start = pose_of(agents, row)
        goal_x, goal_y = agents.goal[row, 0], agents.goal[row, 1]
        best = FAR * _TWO
        chosen = 2
        for first in range(8):
            after_first, touched = repeat_action(own, first, repeat, start, goal_x, goal_y)
            if touched >= 0:
                cost = np.float32(touched) - FAR
                if cost < best:
                    best, chosen = cost, first
                continue
            for second in range(8):
                pose = after_first
                cost = _ZERO
                for _ in range(AHEAD):
                    pose, touched = repeat_action(own, second, repeat, pose, goal_x, goal_y)
                    if touched >= 0:
                        cost += np.float32(touched)
                        break
                    cost += field_value(fields, agents.field[row], pose.x, pose.y)
                    if gaze.facing[row] == gaze.facing[row]:
                        off = abs((pose.heading - gaze.facing[row] + _HALF_TURN) % _TURN - _HALF_TURN)
                        cost += gaze.price[0] * max(_ZERO, off - gaze.price[1])
                if cost < best:
                    best, chosen = cost, first
        actions[row] = chosen
