"""What is played in a maze: where mazes come from, the rules of an episode, and what is observed."""

from dataclasses import dataclass
from typing import Literal

from maze_gen.maze import Maze

NUM_ACTIONS = 8
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

FRAMES_PER_SECOND = 60


@dataclass(frozen=True)
class Rewards:
    """Reward of each thing when it is reached (paper, section 5)."""

    apple: float = 1.0
    strawberry: float = 2.0
    goal: float = 10.0


@dataclass(frozen=True)
class Task:
    """The rules of an episode, and the mazes it is played in.

    Attributes:
        name: the registry's name, e.g. `static-small`, or what the maze file is called.
        mazes: one maze, or a pool of equally large ones from which every episode draws.
        split: which split `mazes` belongs to; `fixed` for a task of one layout.
        episode_seconds: an episode is truncated after 60 x this many frames.
        goal: `fixed` puts it on the maze's first goal cell, `episode` draws one of the maze's goal cells an episode.
        fruit: `fixed` takes the maze's fruit, `episode` draws apples on floor(0.1 (cells - 1) + 0.5) open cells an episode.
        spawn_distance: least cells of path between a spawn and the goal.
        action_repeat: frames that an action is held.
        observation_size: height and width of the picture, 84 (the paper's) or 42.
    """

    name: str
    mazes: tuple[Maze, ...]
    episode_seconds: int
    split: Literal["fixed", "train", "heldout"] = "fixed"
    goal: Literal["fixed", "episode"] = "fixed"
    fruit: Literal["fixed", "episode"] = "fixed"
    spawn_distance: int = 5
    rewards: Rewards = Rewards()
    action_repeat: int = 4
    observation_size: int = 84

    @property
    def episode_steps(self) -> int:
        """Agent steps of an episode; the last may be cut short by the clock."""
        return -(-self.episode_seconds * FRAMES_PER_SECOND // self.action_repeat)

    @property
    def cells(self) -> int:
        """Cells of a maze, solid ones included: the classes of the position decoder."""
        return self.mazes[0].rows * self.mazes[0].cols
