"""Playing: keys mean actions, films are whole, a window works on a screen that isn't there."""

from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from env.engine.engine import Engine
from env.navigation import ACTION_NAMES
from env.registry import make_task
from experiments import play
from experiments.analysis.scene import Score, scene
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


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_a_film_of_an_agent(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = untrained(tmp_path / "agent.safetensors", task=ring_task(2))
    assert run(monkeypatch, "--checkpoint", agent, "--video", tmp_path / name) == 0
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / name))
    # A GIF shows a picture that doesn't change for longer instead of twice.
    assert frames is not None
    assert 20 <= frames <= 31
    assert seconds == pytest.approx(2, abs=0.2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent.safetensors", name]


def test_without_a_screen_an_agent_is_filmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "--policy", "oracle", "--seconds", 1) == 0
    assert (tmp_path / "play.mp4").exists()


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
        (["--policy", "oracle", "--video", "film.avi"], "expected a name that ends in .mp4 or .gif"),
        (["--policy", "oracle", "--checkpoint", "a.safetensors"], "exclude each other"),
        (["--checkpoint", "a.safetensors"], "no such file"),
        (["--policy", "oracle", "--task", "labyrinth"], "task 'labyrinth'"),
        (["--video", "film.mp4"], "--video films an agent"),
        (["--policy", "wizard"], "invalid choice"),
        ([], "there is no screen"),
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


def test_the_scene_shows_view_and_map() -> None:
    task = make_task("static-small", observation_size=42)
    with Engine(task, 1) as env:
        env.reset(0)
        picture = scene(env, 0, Score(12, 1), [], "someone")
        view = env.observation["rgb"][0]
        assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
        # Every pixel of the view is a square of 12 x 12 in the picture.
        np.testing.assert_array_equal(picture[44 + 6 : 44 + 504 : 12, 16 + 6 : 16 + 504 : 12], view)
