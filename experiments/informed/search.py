"""Where a searcher goes next: to the goal if it knows a way, else to the frontier of what it knows that costs the least time."""

import math

import numpy as np

from env.engine.compile import cpu, cpu_kernel
from experiments.informed.sight import OPEN, UNKNOWN, opposite

SECONDS_PER_CELL = 100 / 320
"""Walking at full speed."""
SECONDS_PER_DEGREE = 1 / 126.7
"""Turning, by the actions that look left and right."""
IN_VIEW = 40.0
"""Degrees to either side within which something is in sight without turning."""
NOWHERE = -1


@cpu
def turned(degrees):
    """An angle in [-180, 180)."""
    return (degrees + 180.0) % 360.0 - 180.0


@cpu
def _turning_seconds(heading, side):
    return max(0.0, abs(turned(90.0 * side - heading)) - IN_VIEW) * SECONDS_PER_DEGREE


@cpu_kernel
def paths(steps, first, last, queue, known, place, size):
    """Shortest paths over open sides from a place, of one agent.

    Args:
        steps: [P] int32, written: cells of path, -1 where no way is known.
        first, last: [P] int32, written: the first and the last side on that path, -1 at the place itself.
        queue: [P] int32, working space.
        known: [P * 4] uint8.
        place: where the agent is.
        size: (rows, cols).
    """
    rows, cols = size
    steps[:] = -1
    steps[place], first[place], last[place] = 0, -1, -1
    queue[0] = place
    begin, end = 0, 1
    while begin < end:
        here = queue[begin]
        begin += 1
        for side in range(4):
            other = opposite(here, side, rows, cols)
            if other < 0 or known[here * 4 + side] != OPEN or steps[other // 4] >= 0:
                continue
            beyond = other // 4
            steps[beyond] = steps[here] + 1
            first[beyond] = side if here == place else first[here]
            last[beyond] = side
            queue[end] = beyond
            end += 1


@cpu_kernel
def frontier(found, way, known, seen, goal, heading, size, prices):
    """The frontier that costs the least time: a cell whose middle wasn't seen, or a side of which nothing is known.

    The time is that of the path, of turning into it, and of turning to the side at its end; where the goal's place is remembered
    without a way to it, also that from the frontier to the goal if no wall were between.

    Args:
        found: [2] int32, the place to go to and the side to look at first as they were, NOWHERE for none; written: what they are
            now, NOWHERE if all is known.
        way: (steps, first, last) as `paths` wrote them.
        known, seen: of the agent, as in `experiments.informed.sight.look`.
        goal: the goal's place if it is remembered, else NOWHERE.
        heading: degrees.
        size: (rows, cols).
        prices: [2] float64, seconds: of a side, which may be a wall, against a cell that is there; and what a new frontier must
            save for the old one to be given up.
    """
    rows, cols = size
    steps, first, last = way
    before_place, before_side = found[0], found[1]
    best = 1e9
    found[0], found[1] = NOWHERE, -1
    for place in range(rows * cols):
        if steps[place] < 0:
            continue
        walk = steps[place] * SECONDS_PER_CELL
        if first[place] >= 0:
            walk += _turning_seconds(heading, first[place])
        if goal >= 0:
            walk += (abs(place % cols - goal % cols) + abs(place // cols - goal // cols)) * SECONDS_PER_CELL
        if seen[place] == 0:
            cost = walk - (prices[1] if place == before_place else 0.0)
            if cost < best:
                best = cost
                found[0], found[1] = place, first[place]
        for side in range(4):
            other = opposite(place, side, rows, cols)
            if known[place * 4 + side] != UNKNOWN or (other >= 0 and seen[other // 4] != 0):
                continue
            facing = 90.0 * last[place] if last[place] >= 0 else heading
            cost = walk + _turning_seconds(facing, side) + prices[0]
            look = first[place] if first[place] >= 0 else side
            if place == before_place and look == before_side:
                cost -= prices[1]
            if cost < best:
                best = cost
                found[0], found[1] = place, look


def angle_of(side: int) -> float:
    """Degrees of the direction through a side."""
    return 90.0 * side


def turn_to(heading: float, side: int) -> float:
    """Degrees to turn to the left to look through a side, in [-180, 180)."""
    return float((angle_of(side) - heading + 180.0) % 360.0 - 180.0)


def workspace(cells: int) -> tuple[np.ndarray, ...]:
    """(steps, first, last, queue) of `paths`."""
    return tuple(np.zeros(cells, np.int32) for _ in range(4))


assert math.isclose(SECONDS_PER_CELL, 0.3125)
