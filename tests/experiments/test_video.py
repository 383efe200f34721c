"""Films hold the frames that were written, at their rate, whole or not at all."""

import resource
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from experiments.analysis.video import SUFFIXES, FilmWriter, gif, webm
from maze_gen.errors import InputError
from maze_gen.raster import Pixels, box, resize

FRAMES, RATE = 20, 15.0


def frames(height: int = 60, width: int = 80) -> list[Pixels]:
    """Coarse noise on which a red square moves, so that every frame differs from every other."""
    ground = resize(np.random.default_rng(0).integers(60, 200, (6, 8, 3), dtype=np.uint8), width, height, enlarge=True)
    made = []
    for index in range(FRAMES):
        made.append(ground.copy())
        box(made[-1], (3 * index, 10, 3 * index + 16, 26), (220, 20, 30))
    return made


def read(path: Path) -> tuple[list[Pixels], float]:
    """The frames and the seconds of a film, decoded."""
    film = cv2.VideoCapture(str(path))
    read = []
    while (found := film.read())[0]:
        read.append(found[1][..., ::-1])
    return read, film.get(cv2.CAP_PROP_FRAME_COUNT) / film.get(cv2.CAP_PROP_FPS)


def write(path: Path, pictures: list[Pixels], rate: float = RATE) -> None:
    with FilmWriter(path, rate) as film:
        for picture in pictures:
            film.write(picture)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("height", "width"), [(60, 80), (61, 83)])
def test_a_film_holds_its_frames(suffix: str, height: int, width: int, tmp_path: Path) -> None:
    written = frames(height, width)
    write(tmp_path / f"film{suffix}", written)
    found, seconds = read(tmp_path / f"film{suffix}")
    assert len(found) == FRAMES
    assert seconds == pytest.approx(FRAMES / RATE, rel=0.12 if suffix == ".gif" else 0.001)
    for index, picture in enumerate(found):
        assert picture.shape == ((height, width, 3) if suffix == ".gif" else (height + height % 2, width + width % 2, 3))
        # Colours are stored coarsely; the frame that was written is nearer than any other.
        errors = [np.abs(picture[:height, :width].astype(int) - other).mean() for other in written]
        assert errors[index] < 6
        assert int(np.argmin(errors)) == index
    assert [path.name for path in tmp_path.iterdir()] == [f"film{suffix}"]


def test_films_are_of_the_codecs_that_browsers_play(tmp_path: Path) -> None:
    for suffix, codec in ((".mp4", b"vp09"), (".webm", b"V_VP8")):
        write(tmp_path / f"film{suffix}", frames()[:3])
        assert codec in (tmp_path / f"film{suffix}").read_bytes()
    assert b"webm" in (tmp_path / "film.webm").read_bytes()[:64]


def test_a_gif_lasts_as_long_as_its_film_and_repeats() -> None:
    for thin in (1, 3):
        content = gif(frames(), RATE, thin)
        assert content[:6] == b"GIF89a"
        _, film = cv2.imdecodeanimation(np.frombuffer(content, dtype=np.uint8))
        assert len(film.frames) == len(range(0, FRAMES, thin))
        assert film.loop_count == 0
        # In milliseconds: each near its time, all together exact to GIF's hundredths of a second.
        durations = np.asarray(film.durations)
        assert np.abs(durations - 1000 * thin / RATE).max() < 10
        assert durations.sum() == pytest.approx(1000 * thin * len(durations) / RATE, abs=5)


def test_a_film_in_memory_is_the_one_on_disk(tmp_path: Path) -> None:
    (tmp_path / "film.webm").write_bytes(webm(np.stack(frames()), RATE))
    found, _ = read(tmp_path / "film.webm")
    assert len(found) == FRAMES
    assert np.abs(found[-1].astype(int) - frames()[-1]).mean() < 6


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_older_film_stays_until_the_new_one_is_whole(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"film{suffix}"
    path.write_bytes(b"older")

    def interrupted(error: BaseException) -> None:
        with FilmWriter(path, RATE) as film:
            film.write(frames()[0])
            assert path.read_bytes() == b"older"
            raise error

    with pytest.raises(RuntimeError, match="in the middle"):
        interrupted(RuntimeError("in the middle"))
    assert path.read_bytes() == b"older"
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    # Who stops a film keeps what there is of it.
    with pytest.raises(KeyboardInterrupt):
        interrupted(KeyboardInterrupt())
    assert len(read(path)[0]) == 1


def test_a_film_without_frames_is_no_file(tmp_path: Path) -> None:
    write(tmp_path / "film.mp4", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_no_film(suffix: str, tmp_path: Path) -> None:
    """Files of this process may have 4 kB: OpenCV itself says nothing of what it couldn't write."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    np.save(tmp_path / "noise.npy", noise)
    program = (
        "import sys; import numpy as np; from pathlib import Path; from experiments.analysis.video import FilmWriter\n"
        "from maze_gen.errors import one_line_errors\n"
        "@one_line_errors\n"
        "def main():\n"
        "    with FilmWriter(Path(sys.argv[1]), 15) as film:\n"
        "        for picture in np.load(sys.argv[2]): film.write(picture)\n"
        "sys.exit(main())\n"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / f"film{suffix}"), str(tmp_path / "noise.npy")]
    result = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith(f"error: cannot write {tmp_path / f'film{suffix}'}: ")
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["noise.npy"]


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for suffix in SUFFIXES:
        write(tmp_path / f"film{suffix}", frames()[:2])
    assert capfd.readouterr() == ("", "")


def test_nonsense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"film\.avi: expected a name that ends in \.mp4, \.webm or \.gif"):
        FilmWriter(tmp_path / "film.avi", RATE)
    with pytest.raises(InputError, match=r"cannot write .*no/film\.mp4: No such file"):
        FilmWriter(tmp_path / "no" / "film.mp4", RATE)
    with pytest.raises(InputError, match=r"frame 1 has 82x60 pixels: expected 80x60"):
        write(tmp_path / "film.webm", [frames()[0], frames(60, 82)[0]])
    with pytest.raises(InputError, match="can't encode a film of 80x60 pixels, 0 frames a second"):
        write(tmp_path / "film.mp4", frames(), rate=0.0)
    assert not list(tmp_path.iterdir())
