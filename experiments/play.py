"""Walk through a maze yourself, or watch an agent, in a window or in a film.

    python -m experiments.play --task static-small
    python -m experiments.play --checkpoint runs/NAME/checkpoint.safetensors --video agent.webm

Keys: arrow keys look left and right and go forward and back; W, A, S, D go forward, left, back and right; R starts a new
episode, Escape ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import tyro

from agents.config import MOST_COUNT, check_range
from env.batch import BatchEnv
from env.navigation import (
    BACKWARD,
    FORWARD,
    FORWARD_LEFT,
    FORWARD_RIGHT,
    FRAMES_PER_SECOND,
    LOOK_LEFT,
    LOOK_RIGHT,
    STRAFE_LEFT,
    STRAFE_RIGHT,
)
from env.task import Task
from experiments.options import TaskOptions, check_writable, command
from maze_gen.console import say
from maze_gen.errors import InputError

if TYPE_CHECKING:
    from experiments.analysis.scene import Camera
    from experiments.policies import Player
    from maze_gen.raster import Pixels

WINDOW_VIEW = 504
FILM_VIEW = {".mp4": 336, ".webm": 336, ".gif": 252}
"""Pixels of the view where --view isn't given; larger films take longer and fill more."""


@dataclass(frozen=True)
class PlayOptions:
    """Walk through a maze yourself, or watch an agent.

    Attributes:
        checkpoint: an agent to watch, a run's folder or its checkpoint; it plays its own task unless another is named.
        policy: whom to watch instead: random, or oracle (walks shortest paths).
        world: the task; static-small if neither it nor a checkpoint is given.
        episodes: how many are played before the window closes or the film ends.
        seconds: ends the film, and every episode, after this time.
        seed: of the mazes, spawns and the agent's chances.
        video: an .mp4, .webm or .gif file to film into instead of opening a window. Without a screen the film is play.webm.
            A .webm is written about four times as fast as an .mp4.
        view: height and width of the first-person view in pixels, at which it is drawn (agents see 84 or 42), and the size of
            the whole picture with it; 504 in a window, 336 in a film and 252 in a GIF where it isn't given.
    """

    checkpoint: Path | None = None
    policy: Literal["random", "oracle"] | None = None
    world: tyro.conf.OmitArgPrefixes[TaskOptions] = field(default_factory=TaskOptions)
    episodes: int = 1
    seconds: float | None = None
    seed: int = 0
    video: Path | None = None
    view: int | None = None


def action_of(held: Callable[[str], bool]) -> int | None:
    """The action that the held keys ask for, None for standing still.

    Args:
        held: whether a key of that name (`left`, `right`, `up`, `down`, `w`, `a`, `s`, `d`) is down.
    """
    turn = held("right") - held("left")
    ahead = (held("up") or held("w")) - (held("down") or held("s"))
    aside = held("d") - held("a")
    if ahead > 0 and turn:
        return FORWARD_RIGHT if turn > 0 else FORWARD_LEFT
    if turn:
        return LOOK_RIGHT if turn > 0 else LOOK_LEFT
    if ahead:
        return FORWARD if ahead > 0 else BACKWARD
    if aside:
        return STRAFE_RIGHT if aside > 0 else STRAFE_LEFT
    return None


class Show(Protocol):
    """Where the pictures go."""

    def show(self, picture: Pixels) -> None: ...

    def close(self) -> None: ...

    def discard(self) -> None:
        """Closes it after an error: what was shown so far isn't kept."""


class FilmShow:
    """Writes pictures into a film; see `FilmWriter`."""

    def __init__(self, path: Path, rate: float) -> None:
        from experiments.analysis.video import FilmWriter

        check_writable(path)
        self._writer = FilmWriter(path, rate)

    def show(self, picture: Pixels) -> None:
        self._writer.write(picture)

    def close(self) -> None:
        self._writer.close()

    def discard(self) -> None:
        self._writer.discard()


class WindowShow:
    """A window that shows pictures at a steady rate, and knows which keys are down."""

    def __init__(self, rate: float, title: str) -> None:
        # pygame greets on stdout otherwise.
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame

        self._pygame = pygame
        self._rate = rate
        pygame.display.init()
        pygame.display.set_caption(title)
        self._screen: Any = None
        self._clock = pygame.time.Clock()
        self.wants_end = self.wants_restart = False

    def show(self, picture: Pixels) -> None:
        pygame = self._pygame
        height, width = picture.shape[:2]
        if self._screen is None or self._screen.get_size() != (width, height):
            self._screen = pygame.display.set_mode((width, height))
        self._screen.blit(pygame.image.frombuffer(picture.tobytes(), (width, height), "RGB"), (0, 0))
        pygame.display.flip()
        self._clock.tick(self._rate)
        for event in pygame.event.get():
            if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE):
                self.wants_end = True
            if event.type == pygame.KEYDOWN and event.key == pygame.K_r:
                self.wants_restart = True

    def held(self, key: str) -> bool:
        return bool(self._pygame.key.get_pressed()[getattr(self._pygame, f"K_{key.upper() if len(key) > 1 else key}")])

    def close(self) -> None:
        self._pygame.quit()

    discard = close


class Session:
    """One world that is played and shown step by step.

    Args:
        who: the name of who plays.
        seconds: ends an episode after this time; its own end does without it.
    """

    def __init__(self, env: BatchEnv, seed: int, who: str, show: Show, camera: Camera, seconds: float | None) -> None:
        from experiments.analysis.scene import Progress

        self.env, self.seed, self.out, self.camera, self.limit = env, seed, show, camera, seconds
        self.progress = Progress(who)
        env.reset(seed)
        self._arrive()

    def show(self) -> None:
        """Shows the present state."""
        self.out.show(self.camera.scene(self.env, 0, self.progress))

    @property
    def over(self) -> bool:
        late = self.limit is not None and float(self.env.privileged["seconds"][0]) >= self.limit
        return late or bool(self.env.outcome.truncated[0])

    def step(self, action: int) -> None:
        self.env.step(np.array([action]))
        self.progress.reward += float(self.env.outcome.reward[0])
        self.progress.goals += int(self.env.outcome.statistics["goals"][0])
        self._arrive()

    def restart(self) -> None:
        from experiments.analysis.scene import Progress

        self.progress = Progress(self.progress.who, self.progress.episode + 1)
        self.env.reset_rows(np.ones(1, dtype=bool))
        self._arrive()

    def report(self) -> None:
        """Prints how the episode went."""
        progress = self.progress
        say(f"episode {progress.episode}: score {progress.reward:g}, {progress.goals} goals")

    def _arrive(self) -> None:
        x, y = self.env.privileged["position"][0].tolist()
        self.progress.trail.append((x, y))
        self.show()


def watch(session: Session, player: Player, episodes: int) -> None:
    """Lets a player play whole episodes, until they are over or the window is closed."""
    from experiments.analysis.playback import uniforms

    step = 0
    player.reset_rows(np.ones(1, dtype=bool))
    while True:
        session.step(int(player.act(session.env, uniforms(session.seed, [0], step))[0]))
        step += 1
        if getattr(session.out, "wants_end", False):
            return
        if session.over:
            session.report()
            if session.progress.episode >= episodes:
                return
            session.restart()
            player.reset_rows(np.ones(1, dtype=bool))


def play(session: Session, window: WindowShow, episodes: int) -> None:
    """Lets a person play with the keys. Time stands still while no key is down."""
    while not window.wants_end:
        action = action_of(window.held)
        if session.over or window.wants_restart:
            session.report()
            if session.progress.episode >= episodes and not window.wants_restart:
                return
            window.wants_restart = False
            session.restart()
        elif action is None:
            session.show()
        else:
            session.step(action)


def has_screen() -> bool:
    """Whether a window can be opened here."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("SDL_VIDEODRIVER"))


def _player_and_task(options: PlayOptions) -> tuple[Player | None, str, Task, bool]:
    """The player (None for a person), its name, the task, and whether the player sees depth."""
    from agents.checkpoint import load_checkpoint
    from experiments.policies import BASELINES, AgentPlayer

    if options.checkpoint is not None and options.policy is not None:
        raise InputError(f"--checkpoint {options.checkpoint} and --policy {options.policy} exclude each other: give one of them")
    if options.checkpoint is not None:
        checkpoint = load_checkpoint(options.checkpoint)
        task = options.world.task_or(checkpoint.task)
        return AgentPlayer(checkpoint, 1), checkpoint.agent_name, task, checkpoint.agent.depth_input
    world = options.world if options.world.given else replace(options.world, task="static-small")
    if options.policy is not None:
        return BASELINES[options.policy](1), f"{options.policy} policy", world.make(), False
    return None, "you", world.make(), False


def run(options: PlayOptions) -> None:
    from experiments.analysis.scene import Camera
    from experiments.analysis.video import SUFFIXES

    check_range("--episodes", options.episodes, 1, MOST_COUNT, whole=True)
    check_range("--seed", options.seed, 0, 2**63 - 1, whole=True)
    if options.seconds is not None:
        check_range("--seconds", options.seconds, 0, MOST_COUNT, above=True)
    player, who, task, depth = _player_and_task(options)
    video = options.video
    if video is None and not has_screen():
        if player is None:
            raise InputError("there is no screen to play on; watch an agent instead: --checkpoint FILE or --policy oracle")
        video = Path("play.webm")
    rate = FRAMES_PER_SECOND / task.action_repeat
    if player is None and video is not None:
        raise InputError("--video films an agent: give --checkpoint FILE or --policy oracle")
    if video is not None and video.suffix not in SUFFIXES:
        raise InputError(f"--video {video}: expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    usual = WINDOW_VIEW if video is None else FILM_VIEW[video.suffix]
    camera = Camera(usual if options.view is None else options.view)
    with options.world.batch(task, 1, {"rgb", "velocity", "depth"} if depth else None) as env:
        show = FilmShow(video, rate) if video else WindowShow(rate, f"Knossos: {who} in {task.name}")
        try:
            session = Session(env, options.seed, who, show, camera, options.seconds)
            if player is not None:
                watch(session, player, options.episodes)
            else:
                assert isinstance(show, WindowShow)
                play(session, show, options.episodes)
        except Exception:
            show.discard()
            raise
        finally:
            show.close()
    if video:
        say(f"film: {video}")


main = command(PlayOptions, run)

if __name__ == "__main__":
    sys.exit(main())
