"""The camera of a row: what the renderer needs to know of its pose and of the maze around it."""

from types import SimpleNamespace
from typing import Any, NamedTuple

from env.engine.compile import Jit


class Camera(NamedTuple):
    """Where a row looks from and which maze it looks at; a value that device functions pass by struct, without an array.

    Attributes:
        maze: the row of `Scene.sides`.
        cols: columns of the maze.
        theme: theme of its textures.
        ceiling: 1 where a ceiling lies on the walls, 0 under the open sky.
        x, y: position in units (float32), in an open cell.
        cos, sin: of the heading (float32).
    """

    maze: Any
    cols: Any
    theme: Any
    ceiling: Any
    x: Any
    y: Any
    cos: Any
    sin: Any


def build(jit: Jit) -> SimpleNamespace:
    """Defines the device functions under a compiler.

    Returns:
        A namespace of `camera_of`.
    """

    @jit
    def camera_of(pool, state, rules, row):
        """The camera of a row of the state."""
        maze = state.maze[row]
        heading = state.heading[row]
        return Camera(
            maze,
            rules.cols,
            int(pool.theme[maze]),
            int(pool.ceiling[maze]),
            state.position[row, 0],
            state.position[row, 1],
            rules.cosine[heading],
            rules.cosine[(heading - 16384) & 65535],
        )

    return SimpleNamespace(camera_of=camera_of)
