"""Packaging: the project's folders are plain packages of those names; versions that were tested stand in constraints.txt."""

import sys
import sysconfig
from pathlib import Path

from setuptools import Distribution, find_packages, setup

PACKAGES = ["maze_gen", "env", "auxiliary", "agents", "experiments"]


def startup_files() -> list[tuple[str, list[str]]]:
    """The start-up line that registers the environments whenever gymnasium is imported (see env/gymnasium_plugin.py)."""
    plugin = Path("env/gymnasium_plugin.py").read_text(encoding="utf-8")
    line = Path("build/knossos_gymnasium.pth")
    line.parent.mkdir(exist_ok=True)
    line.write_text(f"import sys; exec({plugin!r}, {{}})\n", encoding="utf-8")
    packages = Path(sysconfig.get_path("purelib", vars={"base": sys.base_prefix})).relative_to(sys.base_prefix)
    return [(str(packages), [str(line)])]


class DistributionWithData(Distribution):
    """Makes editable installs place `data_files` too: setuptools asks for `has_data`, which it never defined."""

    def has_data(self) -> bool:
        return self.has_data_files()


setup(
    distclass=DistributionWithData,
    name="knossos",
    version="0.1.0",
    description="A 3D navigation benchmark and its baseline agents",
    python_requires=">=3.11,<3.14",
    packages=[found for found in find_packages() if found.split(".")[0] in PACKAGES],
    package_data={"env.lab": ["*.lua"], "maze_gen": ["layouts/*.txt"], "experiments": ["pretrained/*.safetensors"]},
    install_requires=[
        # numba-cuda 0.30 asks NumPy for names that 2.5 has no more.
        "numpy>=2.0,<2.5",
        "numba>=0.61",
        "numba-cuda>=0.20",
        "gymnasium>=1.2",
        "dm-env>=1.6",
        "torch>=2.6",
        "safetensors>=0.5",
        "tensorboard>=2.19",
        "tyro>=1.0",
        # Not opencv-python: that one needs libGL, and ends the process where there is no screen.
        "opencv-python-headless>=5.0",
        "matplotlib>=3.10",
        "pygame>=2.6",
        "psutil>=6.0",
    ],
    extras_require={
        "test": [
            "pytest>=8.3",
            "pytest-xdist>=3.6",
            "hypothesis>=6.120",
            "networkx>=3.4",
            "ruff>=0.9",
            "pyright[nodejs]>=1.1.400",
            # NVIDIA's compilers without a GPU: the engine's kernels are compiled to PTX and looked at.
            "nvidia-nvvm>=13; sys_platform == 'linux'",
            "nvidia-cuda-nvrtc>=13; sys_platform == 'linux'",
        ],
    },
    data_files=startup_files(),
)
