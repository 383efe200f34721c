"""Options of a cluster: mistakes are one line with exit code 2, and without a cluster nothing imports Ray."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agents.cluster import address as module
from agents.cluster.address import check_installed, resolve
from experiments.cluster.options import ClusterOptions
from maze_gen.errors import InputError

ROOT = Path(__file__).parents[3]
WITHOUT = """
import sys
from pathlib import Path
import agents.cluster.runtime, agents.cluster.jobs, agents.trainer
import experiments.decode, experiments.evaluate, experiments.quickstart, experiments.reproduce
import experiments.cluster.trainings, experiments.cluster.training_actor
from experiments.train import TrainOptions, train
from agents.config import preset
from dataclasses import replace
settings = replace(preset("fast"), num_envs=2, unroll_length=2)
train(TrainOptions(agent="ff", minutes=0, workers=1, run_dir=Path(sys.argv[1]), settings=settings))
loaded = [name for name in sys.modules if name.split(".")[0] in ("ray", "grpc._channel_ray")]
assert not loaded, loaded
"""


def test_nothing_imports_ray_without_a_cluster(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path / "run")], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_without_ray_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--cluster auto: Ray isn't installed: pip install -e '.\[ray\]'"):
        check_installed("auto")


def test_an_address_at_which_nobody_listens_is_named_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(InputError, match=rf"--cluster {place}: nobody listens at {place} \(Connection refused\)"):
        resolve(place)
    with pytest.raises(InputError, match=r"nobody listens at nowhere\.invalid:6379"):
        resolve("nowhere.invalid:6379")


def test_auto_is_the_cluster_that_this_machine_belongs_to(monkeypatch, tmp_path):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(InputError, match="this machine belongs to no cluster"):
        resolve("auto")
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray" / "ray_current_cluster").write_text(place)
        assert resolve("auto") == place
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
        with pytest.raises(InputError, match=r"nobody listens at 127\.0\.0\.1:1"):
            resolve("auto")
    assert resolve("local") == "local"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cluster": "10.0.0.1"}, "--cluster 10.0.0.1: expected local, auto or HOST:PORT"),
        ({"cluster": "host:99999"}, "expected local, auto or HOST:PORT"),
        ({"cluster": "ray://host:10001"}, "expected local, auto or HOST:PORT"),
        ({"exchange_seconds": 2.0}, "--exchange-seconds 2.0 is for --cluster"),
        ({"in_flight": 8}, "--in-flight 8 is for --cluster"),
        ({"cluster": "local", "exchange_seconds": 9.0}, "--exchange-seconds"),
        ({"cluster": "local", "exchange_seconds": float("nan")}, "--exchange-seconds"),
        ({"cluster": "local", "in_flight": 0}, "--in-flight"),
        ({"cluster": "local", "cluster_patience": -1.0}, "--cluster-patience"),
    ],
)
def test_mistakes(options, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        ClusterOptions(**options).check(serial=False)


def test_what_excludes_a_cluster():
    on = ClusterOptions(cluster="local")
    with pytest.raises(InputError, match="--serial and --cluster local exclude each other"):
        on.check(serial=True)
    with pytest.raises(InputError, match="--workers"):
        on.workers(0, "cpu")
    assert ClusterOptions(cluster="h:1").workers(None, "cpu") == 4096
    assert on.workers(7, "cpu") == 7


def test_workers_of_gpus_are_streams_of_each(tmp_path):
    on = ClusterOptions(cluster="h:1")
    for given, streams in ((None, 1), (3, 3)):
        settings = on.settings(tmp_path, on.workers(given, "cuda"), on.streams(given, "cuda"))
        assert settings is not None
        assert settings.streams == streams
    with pytest.raises(InputError, match="--workers 17"):
        on.workers(17, "cuda")
    on_processors = on.settings(tmp_path, 3)
    assert on_processors is not None
    assert on_processors.streams == 0


@pytest.mark.parametrize("command", ["train", "evaluate", "decode", "reproduce"])
def test_each_command_refuses_a_cluster_that_is_none(command, monkeypatch, capsys, tmp_path):
    import importlib

    checkpoint = str(ROOT / "tests" / "agents" / "published" / "format-1.safetensors")
    given = {
        "train": ["--run-dir", str(tmp_path / "run"), "--agent", "ff"],
        "evaluate": ["--checkpoint", checkpoint],
        "decode": ["--checkpoint", checkpoint, "--logdir", str(tmp_path / "board")],
        "reproduce": ["--out", str(tmp_path / "grid"), "--agents", "ff", "--seeds", "1"],
    }[command]
    monkeypatch.setattr(sys, "argv", [command, *given, "--cluster", "127.0.0.1:1"])
    assert importlib.import_module(f"experiments.{command}").main() == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("error: --cluster 127.0.0.1:1: nobody listens at 127.0.0.1:1")
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()
