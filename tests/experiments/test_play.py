"""Playing: keys mean actions, films are whole, a window works on a screen that isn't there."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from env.batch import BatchEnv
from env.engine.engine import Engine
from env.navigation import ACTION_NAMES, STRAWBERRY_FLAG
from env.registry import make_task
from experiments import play
from experiments.analysis.scene import Camera, Progress
from maze_gen.icons import AGENT, APPLE, GOAL
from tests.experiments.synthetic import ring_task, untrained


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["play", *map(str, arguments)])
    return play.main()


@pytest.mark.parametrize(
    ("keys", "action"),
    [
        ("left", "look left"),
        ("right", "look right"),
        ("up", "forward"),
        ("w", "forward"),
        ("down", "backward"),
        ("s", "backward"),
        ("a", "strafe left"),
        ("d", "strafe right"),
        ("up left", "forward + look left"),
        ("w right", "forward + look right"),
        ("down right", "look right"),
    ],
)
def test_keys_are_actions(keys: str, action: str) -> None:
    found = play.action_of(lambda key: key in keys.split())
    assert found is not None
    assert ACTION_NAMES[found] == action


def test_no_key_or_opposite_keys_are_no_action() -> None:
    assert play.action_of(lambda key: False) is None
    assert play.action_of(lambda key: key in ("left", "right")) is None


@pytest.mark.parametrize("name", ["film.mp4", "film.webm", "film.gif"])
def test_a_film_of_an_agent(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = untrained(tmp_path / "agent.safetensors", task=ring_task(2))
    assert run(monkeypatch, "--checkpoint", agent, "--video", tmp_path / name) == 0
    film = cv2.VideoCapture(str(tmp_path / name))
    frames = film.get(cv2.CAP_PROP_FRAME_COUNT)
    # The first view, and one after each of 30 steps of 4 frames.
    assert frames == 31
    assert frames / film.get(cv2.CAP_PROP_FPS) == pytest.approx(2, abs=0.25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent.safetensors", name]


def test_a_film_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for view in (64, 128):
        path = tmp_path / f"{view}.webm"
        assert run(monkeypatch, "--policy", "oracle", "--seconds", 0.3, "--view", view, "--video", path) == 0
        found, frame = cv2.VideoCapture(str(path)).read()
        assert found
        assert 2.0 * view < frame.shape[1] < 3.5 * view


def test_without_a_screen_an_agent_is_filmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "--policy", "oracle", "--seconds", 1) == 0
    assert (tmp_path / "play.webm").exists()


def test_a_window_shows_an_agent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert run(monkeypatch, "--policy", "random", "--seconds", 0.5) == 0
    assert "episode 1: score" in capsys.readouterr().out


def test_a_person_plays_with_the_keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Up is held: the episode runs to its end; time would stand still without a key."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setattr(play.WindowShow, "held", lambda self, key: key == "up")
    assert run(monkeypatch, "--seconds", 0.5) == 0
    assert "episode 1: score" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--policy", "oracle", "--video", "film.avi"], "expected a name that ends in .mp4, .webm or .gif"),
        (["--policy", "oracle", "--checkpoint", "a.safetensors"], "exclude each other"),
        (["--checkpoint", "a.safetensors"], "no such file"),
        (["--policy", "oracle", "--task", "labyrinth"], "task 'labyrinth'"),
        (["--video", "film.mp4"], "--video films an agent"),
        (["--policy", "wizard"], "invalid choice"),
        ([], "there is no screen"),
        (["--policy", "oracle", "--view", "20"], "view = 20: expected 64 to 2048"),
    ],
)
def test_complaints(
    arguments: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    assert run(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert complaint in error


@pytest.mark.parametrize("view", [504, 336, 252])
def test_the_view_is_drawn_at_its_size_whatever_the_agent_sees(view: int) -> None:
    scenes = []
    for size in (42, 84):
        with Engine(make_task("static-small", observation_size=size), 1) as env:
            env.reset(0)
            picture = Camera(view).scene(env, 0, Progress("someone", reward=12, goals=1))
            assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
            top, left = round(44 * view / 504), round(16 * view / 504)
            shown = picture[top : top + view, left : left + view]
            scenes.append(shown)
            # Averaged over blocks it is about what the agent sees; each block has more than one colour.
            block = view // 42
            if size == 42 and view % 42 == 0:
                blocks = shown.reshape(42, block, 42, block, 3)
                assert np.abs(blocks.mean(axis=(1, 3)) - env.observation["rgb"][0]).mean() < 12
                assert blocks.std(axis=(1, 3)).mean() > 1
    np.testing.assert_array_equal(*scenes)


def test_worlds_that_draw_at_one_size_have_their_pictures_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "pictures", BatchEnv.pictures)
    with Engine(make_task("static-small", observation_size=42), 1) as env:
        env.reset(0)
        picture = Camera(504).scene(env, 0, Progress("someone"))
        rgb = env.observation["rgb"][0]
    np.testing.assert_array_equal(picture[44:548, 16:520], rgb.repeat(12, axis=0).repeat(12, axis=1))


@pytest.mark.parametrize("view", [64, 100, 333, 800])
@pytest.mark.parametrize("name", ["static-small", "random-goal-large"])
def test_a_scene_has_any_size(view: int, name: str) -> None:
    with Engine(make_task(name), 1) as env:
        env.reset(0)
        picture = Camera(view).scene(env, 0, Progress("someone"))
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    # The map is beside the view and as wide as 720 to 504, where cells can be divided so.
    assert 2.0 * view < picture.shape[1] < 4.2 * view


def test_the_scene_shows_what_the_world_holds_and_where_the_agent_has_been() -> None:
    with Engine(make_task("static-small"), 1) as env:
        env.reset(0)
        maze, facts = env.task.mazes[0], env.privileged
        # The map beside a view of 504 pixels has 72 pixels a cell; its frame is 10 pixels wide.
        left, top = 504 + 2 * 16 + 10, 44 + 10

        def at(picture: np.ndarray, x: float, y: float) -> tuple[int, ...]:
            column, row = left + x * 0.72, top + (maze.rows * 100 - y) * 0.72
            return tuple(picture[int(row), int(column)].tolist())

        x, y = facts["position"][0].tolist()
        trail = [(x + 20.0, y + 30.0), (x - 30.0, y + 30.0)]
        picture = Camera().scene(env, 0, Progress("someone", trail=trail))
        assert at(picture, *maze.center(divmod(int(facts["goal_cell"][0]), maze.cols))) == GOAL
        cells = [int(cell) for cell in facts["fruit_cells"][0] if cell >= 0]
        assert cells
        for cell in cells:
            assert at(picture, *maze.center(divmod(cell % STRAWBERRY_FLAG, maze.cols))) == APPLE
        assert at(picture, x, y) == AGENT
        assert at(picture, x - 10, y + 30) == (90, 140, 230)
        without = Camera(trail=0).scene(env, 0, Progress("someone", trail=trail))
        assert at(without, x - 10, y + 30) != (90, 140, 230)
