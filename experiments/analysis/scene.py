"""One world as a person sees it: the first-person view, enlarged, beside the map from above, with score and time."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from env.batch import BatchEnv
from env.navigation import STRAWBERRY_FLAG
from maze_gen.icons import text_font
from maze_gen.topdown import TopDown

VIEW = 504
"""Pixels of the enlarged view: 6 x 84, 12 x 42."""
GAP, HEAD = 16, 44
TRAIL = 60
"""Positions of the past that the map shows."""
_BACKGROUND, _INK, _QUIET = (24, 26, 32), (236, 238, 243), (150, 155, 168)


@dataclass
class Score:
    """What a player has got so far in an episode."""

    reward: float = 0.0
    goals: int = 0
    episode: int = 1


def scene(env: BatchEnv, row: int, score: Score, trail: list[tuple[float, float]], who: str) -> npt.NDArray[np.uint8]:
    """The picture of one row, [height, width, 3] uint8, height and width even.

    Args:
        score: shown above the view.
        trail: past positions, in units, drawn on the map.
        who: the player's name.
    """
    task, facts = env.task, env.privileged
    maze = task.mazes[int(facts["maze"][row])]
    scale = max(8, min(VIEW // maze.rows, 720 // maze.cols))
    canvas = TopDown(maze, scale, things="none", smoothing=1)
    fruit = [int(cell) for cell in facts["fruit_cells"][row] if cell >= 0]
    canvas.apples([divmod(cell, maze.cols) for cell in fruit if not cell & STRAWBERRY_FLAG])
    canvas.strawberries([divmod(cell - STRAWBERRY_FLAG, maze.cols) for cell in fruit if cell & STRAWBERRY_FLAG])
    canvas.goal(divmod(int(facts["goal_cell"][row]), maze.cols))
    if trail:
        canvas.path(trail[-TRAIL:], colour=(90, 140, 230), width=0.08)
    canvas.agent(float(facts["position"][row, 0]), float(facts["position"][row, 1]), float(facts["heading"][row]))
    place = canvas.array()
    view = Image.fromarray(env.observation["rgb"][row]).resize((VIEW, VIEW), Image.Resampling.NEAREST)
    height = HEAD + max(VIEW, place.shape[0]) + GAP
    width = VIEW + place.shape[1] + 3 * GAP
    whole = Image.new("RGB", (width + width % 2, height + height % 2), _BACKGROUND)
    whole.paste(view, (GAP, HEAD))
    whole.paste(Image.fromarray(place), (VIEW + 2 * GAP, HEAD))
    draw = ImageDraw.Draw(whole)
    left = max(0.0, task.episode_seconds - float(facts["seconds"][row]))
    draw.text((GAP, HEAD // 2), f"score {score.reward:g}", fill=_INK, font=text_font(24), anchor="lm")
    draw.text((GAP + 150, HEAD // 2), f"goals {score.goals}", fill=_INK, font=text_font(24), anchor="lm")
    draw.text((GAP + VIEW, HEAD // 2), f"{left:.1f} s left", fill=_INK, font=text_font(24), anchor="rm")
    words = f"{who} in {task.name}" + (f", episode {score.episode}" if score.episode > 1 else "")
    draw.text((VIEW + 2 * GAP, HEAD // 2), words, fill=_QUIET, font=text_font(18), anchor="lm")
    return np.asarray(whole)
