"""What is installed, what registers the ids, and what installing leaves alone."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("maze_gen", "env", "auxiliary", "agents", "experiments")


def python(code: str, folder: Path, *places: Path, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh interpreter in a folder, with these places behind it on the path."""
    found = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, places))}
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, env=found, capture_output=True, text=True)


no_start_up_file = pytest.mark.skipif(
    bool(list(Path(sysconfig.get_path("purelib")).glob("knossos_gymnasium.pth"))),
    reason="a start-up file of an earlier version is still installed here: make setup removes it",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this source tree, built outside of it, in a folder with an apostrophe and a space in its name."""
    pytest.importorskip("setuptools", minversion="77", reason="builds the wheel")
    folder = tmp_path_factory.mktemp("it's here")
    source = folder / "source of knossos"
    source.mkdir()
    for name in (*PACKAGES, "knossos.py", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(place, source / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The wheel, unpacked as pip would."""
    folder = wheel.parent / "site packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_a_wheel_fits_every_python_that_it_names(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {name for name in tops if ".dist-info" not in name} == {*PACKAGES, "knossos.py"}
    assert not [name for name in names if name.endswith(".pth") or ".data/" in name or "tests" in name]
    for name in (*(f"{package}/py.typed" for package in PACKAGES), "maze_gen/layouts/static-small.txt", "env/lab/level.lua"):
        assert name in names
    assert {name for name in names if name.startswith("maze_gen/pools/") and name.endswith(".npz")} == {
        f"maze_gen/pools/{place.name}" for place in (ROOT / "maze_gen/pools").glob("*.npz")
    }
    assert any(name.startswith("experiments/pretrained/") for name in names)
    assert any(name.endswith("LICENSE") for name in names)


def test_the_metadata_is_complete(wheel: Path) -> None:
    found = metadata(wheel)
    for field in (
        "Name",
        "Version",
        "Summary",
        "Author",
        "License",
        "Project-URL",
        "Description-Content-Type",
        "Requires-Python",
    ):
        assert found[field], field
    assert found["License"] == "Apache-2.0"
    assert "# Knossos" in str(found.get_payload())
    assert set(found.get_all("Provides-Extra", [])) == {"train", "play", "gpu", "ray", "characters", "test"}


def test_environments_alone_need_no_torch(wheel: Path) -> None:
    needed = [line for line in metadata(wheel).get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {line.split(">")[0].split("<")[0].split(";")[0].split("[")[0].strip() for line in needed}
    assert names == {"numpy", "numba", "gymnasium", "dm-env", "tyro"}, names


def test_what_is_installed_plays_without_what_training_needs(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] in 'torch tensorboard safetensors pygame psutil cv2 PIL matplotlib'.split():\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import gymnasium, knossos, env.dm\n"
        "env.dm.KnossosDmEnv('static-small').reset()\n"
        "world = gymnasium.make('Knossos/ProceduralSmall-v0')\n"
        "world.reset(seed=1); world.step(1)\n"
        "print(knossos.__file__)"
    )
    done = python(code, tmp_path, installed)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == str(installed / "knossos.py")


def test_ids_come_with_the_import(tmp_path: Path) -> None:
    make = "print(gymnasium.make({!r}).reset(seed=1)[0]['rgb'].shape)"
    for code in (
        "import gymnasium, knossos; " + make.format("Knossos/StaticSmall-v0"),
        "import gymnasium; " + make.format("knossos:Knossos/StaticSmall-v0"),
    ):
        done = python(code, tmp_path, ROOT)
        assert done.stdout.strip() == "(84, 84, 3)", done.stderr


@no_start_up_file
def test_gymnasium_alone_runs_nothing_of_ours(installed: Path, tmp_path: Path) -> None:
    """In a folder with an `env.py` of the user's own, which must not run either."""
    (tmp_path / "env.py").write_text("raise SystemExit('this must not run')\n")
    code = "import sys, gymnasium; print([name for name in sys.modules if name.split('.')[0] in ('env', 'maze_gen', 'knossos')])"
    done = python(code, tmp_path, installed)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    assert "must not run" not in done.stderr


@no_start_up_file
@pytest.mark.parametrize("kind", ["file", "package", "folder"])
def test_what_hides_our_package_is_named(kind: str, tmp_path: Path, installed: Path) -> None:
    """A file `env.py`, a package `env`, and a folder `env` such as a virtual environment, which only editable installs fear."""
    if kind == "file":
        other = tmp_path / "env.py"
        other.write_text("raise SystemExit('this must not run')\n")
    elif kind == "package":
        (tmp_path / "env").mkdir()
        other = tmp_path / "env" / "__init__.py"
        other.write_text("raise SystemExit('this must not run')\n")
    else:
        (tmp_path / "env" / "bin").mkdir(parents=True)
        done = python("import knossos", tmp_path, installed)
        assert done.returncode == 0, done.stderr
        return
    for code in ("import knossos", "import gymnasium; gymnasium.make('knossos:Knossos/StaticSmall-v0')", "import experiments"):
        done = python(code, tmp_path, installed)
        assert done.returncode == 1
        error = done.stderr.strip().splitlines()[-1]
        assert error.startswith("ImportError: ")
        assert str(other.parent if kind == "package" else other) in error
        assert "rename" in error
        assert "must not run" not in done.stderr


def test_a_module_of_the_same_name_that_is_loaded_already_is_named(tmp_path: Path) -> None:
    (tmp_path / "env.py").write_text("")
    done = python("import env, knossos", tmp_path, ROOT)
    assert str(tmp_path / "env.py") in done.stderr.strip().splitlines()[-1]


def test_one_version(wheel: Path) -> None:
    done = python("import knossos; print(knossos.__version__)", ROOT, ROOT)
    assert f"-{done.stdout.strip()}-" in wheel.name
    assert f"## [{done.stdout.strip()}]" in (ROOT / "CHANGELOG.md").read_text()
