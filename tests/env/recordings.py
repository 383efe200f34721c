"""Small recordings that tests write and damage."""

from typing import Any

import numpy as np


def small_trace() -> dict[str, Any]:
    """Two frames at rest in a closed cell."""
    rest = np.zeros((2, 3))
    return {
        "actions": np.zeros((2, 7), dtype=np.int32),
        "pos": np.array([[50.0, 50.0, 25.125]] * 2),
        "rot": rest,
        "vel_trans": rest,
        "vel_rot": rest,
        "pos0": np.array([50.0, 50.0, 25.125]),
        "rot0": rest[0],
        "vel_trans0": rest[0],
        "vel_rot0": rest[0],
        "reward": np.zeros(2),
        "depth": np.zeros((0, 84, 84), dtype=np.uint8),
        "depth_frame": np.zeros(0, dtype=np.int32),
        "layout": np.array("***\n* *\n***"),
        "geometry": np.array("thin"),
        "level": np.array("text_maze"),
        "seed": np.array(1),
        "name": np.array("small"),
        "clock": np.array([12, -38, -1, 14], dtype=np.int32),
        "dt": np.array([14, 17], dtype=np.int32),
        "exact": np.ones(2, dtype=bool),
    }
