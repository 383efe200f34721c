"""What is played in a maze: where mazes come from, the rules of an episode, and what is observed."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from env.batch import WorldSpec
from env.navigation import FRAMES_PER_SECOND, NavigationSizes, drawn_apples, navigation_spec
from maze_gen.errors import InputError
from maze_gen.maze import Maze

SPLITS = ("fixed", "train", "heldout")
DRAWN = ("fixed", "episode")
OBSERVATION_SIZES = (84, 42)
MOST_NAME = 255
MOST = 1_000_000
"""The largest number that a rule may have: seconds, frames, cells, rewards."""


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

    def __post_init__(self) -> None:
        """Raises InputError where a rule makes no sense, or the mazes differ in size or geometry."""
        if not isinstance(self.name, str) or not self.name.isprintable() or not 0 < len(self.name) <= MOST_NAME:
            raise InputError(f"a task's name is {str(self.name)[:60]!r}, expected 1 to {MOST_NAME} printable characters")
        if not isinstance(self.mazes, tuple) or not all(isinstance(maze, Maze) for maze in self.mazes):
            raise InputError(f"task {self.name!r}: its mazes are {type(self.mazes).__name__}, expected a tuple of mazes")
        if not self.mazes:
            raise InputError(f"task {self.name!r} has no maze")
        if len({maze.geometry for maze in self.mazes}) > 1:
            raise InputError(f"task {self.name!r} has thin and block mazes, expected mazes of one geometry")
        sizes = {(maze.rows, maze.cols) for maze in self.mazes}
        if len(sizes) > 1:
            raise InputError(f"task {self.name!r}: its mazes have the sizes {sorted(sizes)}, expected equally large ones")
        for name, least in (("episode_seconds", 1), ("action_repeat", 1), ("spawn_distance", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
                raise InputError(f"task {self.name!r}: {name} is {value!r}, expected a whole number from {least} to {MOST}")
        for name, allowed in (("split", SPLITS), ("goal", DRAWN), ("fruit", DRAWN), ("observation_size", OBSERVATION_SIZES)):
            value = getattr(self, name)
            if type(value) is not type(allowed[0]) or value not in allowed:
                raise InputError(f"task {self.name!r}: {name} is {value!r}, expected one of {', '.join(map(str, allowed))}")
        if not isinstance(self.rewards, Rewards):
            raise InputError(f"task {self.name!r}: its rewards are {type(self.rewards).__name__}, expected Rewards")
        for field in dataclasses.fields(self.rewards):
            value = getattr(self.rewards, field.name)
            # Written so that NaN is out of range.
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
                raise InputError(
                    f"task {self.name!r}: the reward of {field.name} is {value!r}, expected a number from {-MOST} to {MOST}"
                )

    @property
    def episode_steps(self) -> int:
        """Agent steps of an episode; the last may be cut short by the clock."""
        return -(-self.episode_seconds * FRAMES_PER_SECOND // self.action_repeat)

    @property
    def cells(self) -> int:
        """Cells of a maze, solid ones included: the classes of the position decoder."""
        return self.mazes[0].rows * self.mazes[0].cols

    @cached_property
    def fruit_slots(self) -> int:
        """The most pieces of fruit in an episode, 1 at least."""
        if self.fruit == "episode":
            return max(1, *(drawn_apples(int(maze.open.sum())) for maze in self.mazes))
        return max(1, *(len(maze.apples) + len(maze.strawberries) for maze in self.mazes))

    def spec(self) -> WorldSpec:
        """What its worlds observe and take."""
        return self._spec

    @cached_property
    def _spec(self) -> WorldSpec:
        return navigation_spec(
            NavigationSizes(
                self.observation_size,
                self.mazes[0].rows,
                self.mazes[0].cols,
                len(self.mazes),
                self.fruit_slots,
                self.episode_steps,
                self.action_repeat,
            )
        )
