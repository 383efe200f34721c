"""Walk through a maze yourself, or watch an agent, in a window or in a film.

    python -m experiments.play --task static-small
    python -m experiments.play --checkpoint runs/NAME/checkpoint.safetensors --video agent.mp4

Keys: arrow keys look left and right and go forward and back; W, A, S, D go forward, left, back and right; R starts a new
episode, Escape ends.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import imageio.v2 as imageio
import numpy as np
import numpy.typing as npt
import tyro

from agents.checkpoint import load_checkpoint
from env.batch import BatchEnv
from env.navigation import ACTION_NAMES, FRAMES_PER_SECOND
from env.task import Task
from experiments.analysis.scene import Score, scene
from experiments.analysis.trajectories import uniforms
from experiments.analysis.video import gif
from experiments.options import TaskOptions, check_writable, command
from experiments.policies import BASELINES, AgentPlayer, Player
from maze_gen.errors import InputError

LOOK_LEFT, LOOK_RIGHT, FORWARD, BACKWARD, STRAFE_LEFT, STRAFE_RIGHT, FORWARD_LEFT, FORWARD_RIGHT = range(len(ACTION_NAMES))
GIF_WIDTH = 640


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
        video: an .mp4 or .gif file to film into instead of opening a window. Without a screen the film is play.mp4.
    """

    checkpoint: Path | None = None
    policy: Literal["random", "oracle"] | None = None
    world: tyro.conf.OmitArgPrefixes[TaskOptions] = field(default_factory=TaskOptions)
    episodes: int = 1
    seconds: float | None = None
    seed: int = 0
    video: Path | None = None


def action_of(held: Callable[[str], bool]) -> int | None:
    """The action that the held keys ask for, None for standing still.

    Args:
        held: tells whether a key of that name (`left`, `right`, `up`, `down`, `w`, `a`, `s`, `d`) is down.
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

    def show(self, picture: npt.NDArray[np.uint8]) -> None: ...

    def close(self) -> None: ...


class FilmShow:
    """Writes pictures into an mp4 or GIF file, whole or not at all."""

    def __init__(self, path: Path, rate: float) -> None:
        if path.suffix not in (".mp4", ".gif"):
            raise InputError(f"--video {path}: expected a name that ends in .mp4 or .gif")
        check_writable(path)
        self.path, self.rate = path, rate
        self._part = path.with_name(f".{path.stem}.part{path.suffix}")
        self._frames: list[npt.NDArray[np.uint8]] = []
        self._writer: Any = None
        if path.suffix == ".mp4":
            self._writer = imageio.get_writer(self._part, fps=rate, macro_block_size=2, codec="libx264", quality=7)

    def show(self, picture: npt.NDArray[np.uint8]) -> None:
        if self._writer is not None:
            self._writer.append_data(picture)
        else:
            self._frames.append(picture[:: -(-picture.shape[1] // GIF_WIDTH), :: -(-picture.shape[1] // GIF_WIDTH)])

    def close(self) -> None:
        try:
            if self._writer is not None:
                self._writer.close()
            elif self._frames:
                self._part.write_bytes(gif(np.stack(self._frames), self.rate))
            if self._part.exists():
                self._part.replace(self.path)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror or error}") from error
        finally:
            self._part.unlink(missing_ok=True)


class WindowShow:
    """A window that shows pictures at a steady rate and tells which keys are down."""

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

    def show(self, picture: npt.NDArray[np.uint8]) -> None:
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


class Session:
    """One world that is played and shown step by step."""

    def __init__(self, env: BatchEnv, seed: int, who: str, show: Show, seconds: float | None) -> None:
        self.env, self.seed, self.who, self.out = env, seed, who, show
        self.score = Score()
        self.trail: list[tuple[float, float]] = []
        self.limit = seconds
        env.reset(seed)
        self.show()

    def show(self) -> None:
        x, y = self.env.privileged["position"][0].tolist()
        self.trail.append((x, y))
        self.out.show(scene(self.env, 0, self.score, self.trail, self.who))

    @property
    def over(self) -> bool:
        late = self.limit is not None and float(self.env.privileged["seconds"][0]) >= self.limit
        return late or bool(self.env.outcome.truncated[0])

    def step(self, action: int) -> None:
        self.env.step(np.array([action]))
        self.score.reward += float(self.env.outcome.reward[0])
        self.score.goals += int(self.env.outcome.statistics["goals"][0])
        self.show()

    def restart(self) -> None:
        self.score = Score(episode=self.score.episode + 1)
        self.trail.clear()
        self.env.reset_rows(np.ones(1, dtype=bool))
        self.show()


def watch(session: Session, player: Player, episodes: int) -> None:
    """Lets a player play whole episodes, until they are over or the window is closed."""
    step = 0
    player.reset_rows(np.ones(1, dtype=bool))
    while True:
        session.step(int(player.act(session.env, uniforms(session.seed, [0], step))[0]))
        step += 1
        if getattr(session.out, "wants_end", False):
            return
        if session.over:
            print(f"episode {session.score.episode}: score {session.score.reward:g}, {session.score.goals} goals")
            if session.score.episode >= episodes:
                return
            session.restart()
            player.reset_rows(np.ones(1, dtype=bool))


def play(session: Session, window: WindowShow, episodes: int) -> None:
    """Lets a person play with the keys. Time stands still while no key is down."""
    while not window.wants_end:
        action = action_of(window.held)
        if session.over or window.wants_restart:
            print(f"episode {session.score.episode}: score {session.score.reward:g}, {session.score.goals} goals")
            if session.score.episode >= episodes and not window.wants_restart:
                return
            window.wants_restart = False
            session.restart()
        elif action is None:
            window.show(scene(session.env, 0, session.score, session.trail, session.who))
        else:
            session.step(action)


def has_screen() -> bool:
    """Whether a window can be opened here."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("SDL_VIDEODRIVER"))


def _player_and_task(options: PlayOptions) -> tuple[Player | None, str, Task, bool]:
    """The player (None for a person), its name, the task, and whether the player sees depth."""
    if options.checkpoint is not None and options.policy is not None:
        raise InputError(f"--checkpoint {options.checkpoint} and --policy {options.policy} exclude each other: give one of them")
    if options.checkpoint is not None:
        checkpoint = load_checkpoint(options.checkpoint)
        task = options.world.make(checkpoint.task.observation_size) if options.world.given else checkpoint.task
        return AgentPlayer(checkpoint, 1), checkpoint.agent_name, task, checkpoint.agent.depth_input
    world = options.world if options.world.given else TaskOptions(task="static-small", backend=options.world.backend)
    if options.policy is not None:
        return BASELINES[options.policy](1), f"{options.policy} policy", world.make(), False
    return None, "you", world.make(), False


def run(options: PlayOptions) -> None:
    if options.episodes < 1:
        raise InputError(f"--episodes {options.episodes}: expected at least 1")
    player, who, task, depth = _player_and_task(options)
    video = options.video
    if video is None and not has_screen():
        if player is None:
            raise InputError("there is no screen to play on; watch an agent instead: --checkpoint FILE or --policy oracle")
        video = Path("play.mp4")
    rate = FRAMES_PER_SECOND / task.action_repeat
    if player is None and video is not None:
        raise InputError("--video films an agent: give --checkpoint FILE or --policy oracle")
    with options.world.batch(task, 1, {"rgb", "velocity", "depth"} if depth else None) as env:
        show = FilmShow(video, rate) if video else WindowShow(rate, f"Knossos: {who} in {task.name}")
        try:
            session = Session(env, options.seed, who, show, options.seconds)
            if player is not None:
                watch(session, player, options.episodes)
            else:
                assert isinstance(show, WindowShow)
                play(session, show, options.episodes)
        finally:
            show.close()
    if video:
        print(f"film: {video}")


main = command(PlayOptions, run)

if __name__ == "__main__":
    sys.exit(main())
