"""What both maze backends share: actions, kinds of items, and the specification of what is observed."""

from dataclasses import dataclass

from env.batch import ActionPart, ActionSpec, ArraySpec, WorldSpec

ACTION_NAMES = (
    "look left",
    "look right",
    "forward",
    "backward",
    "strafe left",
    "strafe right",
    "forward + look left",
    "forward + look right",
)
"""The paper's eight actions (section 5; the order is ours)."""
NUM_ACTIONS = len(ACTION_NAMES)
LOOK_LEFT, LOOK_RIGHT, FORWARD, BACKWARD, STRAFE_LEFT, STRAFE_RIGHT, FORWARD_LEFT, FORWARD_RIGHT = range(NUM_ACTIONS)

LOOK_PIXELS = 20
"""Pixels a frame of the actions that look left and right."""
ACTION_FRAMES: tuple[tuple[int, int, int], ...] = (
    (-LOOK_PIXELS, 0, 0),
    (LOOK_PIXELS, 0, 0),
    (0, 1, 0),
    (0, -1, 0),
    (0, 0, -1),
    (0, 0, 1),
    (-LOOK_PIXELS, 1, 0),
    (LOOK_PIXELS, 1, 0),
)
"""(look pixels, positive turning right; move; strafe, positive to the right) of each action, in the order of ACTION_NAMES."""

ACTION_SPEC = ActionSpec((ActionPart("action", NUM_ACTIONS, ACTION_NAMES),))

FRAMES_PER_SECOND = 60

APPLE, STRAWBERRY, GOAL = 1, 2, 3
"""Kinds of items."""
STRAWBERRY_FLAG = 1 << 16
"""Marks the cells of strawberries among `fruit_cells`."""

TOP_SPEED, TOP_SPIN = 320.0, 126.7
"""Units/s of walking; degrees/s of the fastest turn, 20 pixels a frame."""
PATH_CELLS = 10.0
"""A typical length of path to the goal, in cells."""
VELOCITY_BOUND = 1000.0
"""Units/s and degrees/s; the rules reach 320 units/s and 151 degrees/s."""
TARGET_ROWS, TARGET_COLS = 4, 16
"""Rays of the depth target."""


def drawn_apples(cells: int) -> int:
    """How many apples are drawn in a maze of so many open cells, where fruit is drawn every episode (paper, section 5.1)."""
    return int(0.1 * (cells - 1) + 0.5)


@dataclass(frozen=True)
class NavigationSizes:
    """Sizes of a maze task that its specification names.

    Attributes:
        image_size: height and width of the picture in pixels.
        rows, cols: of a maze in cells.
        mazes: in the task's pool.
        fruit: the most pieces in an episode, 1 at least.
        episode_steps: agent steps of an episode.
        action_repeat: frames of an agent step.
    """

    image_size: int
    rows: int
    cols: int
    mazes: int
    fruit: int
    episode_steps: int
    action_repeat: int


def navigation_spec(sizes: NavigationSizes) -> WorldSpec:
    """What the worlds of a maze task observe and take."""
    size, cells, fruit = sizes.image_size, sizes.rows * sizes.cols, sizes.fruit
    observations = {
        "rgb": ArraySpec((size, size, 3), "uint8", "the first-person picture", 0, 255, role="perceived"),
        "velocity": ArraySpec(
            (6,),
            "float32",
            "velocity in the agent's frame: forward, left, up (units/s); pitch, yaw, roll (degrees/s). The angular part is the "
            "change of heading over the whole agent step divided by its duration",
            -VELOCITY_BOUND,
            VELOCITY_BOUND,
            scale=(TOP_SPEED,) * 3 + (TOP_SPIN,) * 3,
            role="perceived",
        ),
        "depth": ArraySpec((size, size), "uint8", "DeepMind Lab's depth byte of every pixel", 0, 255, role="optional"),
        "depth_target": ArraySpec(
            (TARGET_ROWS, TARGET_COLS),
            "float32",
            "planar distance in units along 64 rays of the middle of the view; costs far less than `depth`",
            0.0,
        ),
    }
    privileged = {
        "position": ArraySpec((2,), "float32", "x and y in units (the frame of `maze_gen.maze`)", 0.0),
        "heading": ArraySpec((), "float32", "degrees, counter-clockwise from +x", 0.0, 360.0),
        "cell": ArraySpec((), "int32", "row x cols + col of the cell that holds the agent", 0, cells - 1),
        "goal_cell": ArraySpec((), "int32", "the same for the goal of this episode", -1, cells - 1),
        "goal_distance": ArraySpec(
            (),
            "int32",
            "cells of shortest path from the agent's cell to the goal's, -1 where there is none",
            -1,
            cells - 1,
            scale=(PATH_CELLS,),
        ),
        "next_cell": ArraySpec(
            (),
            "int32",
            "the cell after the agent's on a shortest path to the goal, the goal's own once reached, -1 where there is none",
            -1,
            cells - 1,
        ),
        "maze": ArraySpec((), "int32", "index into `task.mazes`", 0, sizes.mazes - 1),
        "fruit_cells": ArraySpec(
            (fruit,), "int32", f"cells of the fruit still to be had, -1 for none; strawberries carry bit {STRAWBERRY_FLAG}", -1
        ),
        "seconds": ArraySpec((), "float32", "time since the episode's start", 0.0),
    }
    return WorldSpec(
        observations=observations,
        privileged=privileged,
        statistics={"goals": "goals rewarded", "respawns": "times that the agent was put elsewhere after a goal"},
        action=ACTION_SPEC,
        episode_steps=sizes.episode_steps,
        frames_per_step=sizes.action_repeat,
        frames_per_second=FRAMES_PER_SECOND,
        extents={
            "cells": cells,
            "rows": sizes.rows,
            "cols": sizes.cols,
            "image_size": size,
            "fruit": fruit,
        },
    )
