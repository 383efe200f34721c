"""Packaging: the project's folders are plain packages of those names; versions that were tested stand in constraints.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
PACKAGES = ["maze_gen", "env", "auxiliary", "agents", "experiments"]

ENVIRONMENTS = [
    # numba-cuda 0.30 asks NumPy for names that 2.5 has no more.
    "numpy>=2.0,<2.5",
    "numba>=0.61",
    "gymnasium>=1.2",
    "dm-env>=1.6",
    "tyro>=1.0",
]
TRAIN = [
    "torch>=2.6",
    "safetensors>=0.5",
    "tensorboard>=2.19",
    "psutil>=6.0",
    # Not opencv-python: that one needs libGL, and ends the process where there is no screen.
    "opencv-python-headless>=5.0",
    "matplotlib>=3.10",
    # torch brings it, too.
    "networkx>=3.4",
]
# The community's edition: the original has no wheels from Python 3.14 on, and both are imported as `pygame`.
PLAY = [*TRAIN, "pygame-ce>=2.5.6"]
GPU = [*TRAIN, "numba-cuda[cu13]>=0.20"]
# KanjiVG's files, CC BY-SA 3.0: strokes of characters to be parsed.
CHARACTERS = ["kanjivg>=20250816"]
RAY = ["ray>=2.60,<3"]
TEST = [
    *PLAY,
    *RAY,
    "numba-cuda>=0.20",
    "pytest>=8.3",
    "pytest-xdist>=3.6",
    "hypothesis>=6.120",
    "ruff>=0.9",
    "pyright[nodejs]>=1.1.400",
    "setuptools>=77",
    # NVIDIA's compilers without a GPU: the engine's kernels are compiled to PTX and looked at.
    "nvidia-nvvm>=13; sys_platform == 'linux'",
    "nvidia-cuda-nvrtc>=13; sys_platform == 'linux'",
]


def version() -> str:
    """The version that `knossos.py` states; read, not imported, since its libraries may not be installed yet."""
    stated = re.search(r'^__version__ = "(.+)"$', (HERE / "knossos.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert stated is not None, "knossos.py states no __version__"
    return stated[1]


setup(
    name="knossos",
    version=version(),
    description="A 3D maze navigation benchmark for reinforcement learning, with its baseline agents and their analysis",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The Knossos authors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    project_urls={"Paper": "https://arxiv.org/abs/1611.03673"},
    keywords=["reinforcement learning", "navigation", "gymnasium", "dm_env", "DeepMind Lab", "auxiliary losses", "A3C"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11,<3.15",
    py_modules=["knossos"],
    packages=find_packages(include=[f"{package}{below}" for package in PACKAGES for below in ("", ".*")]),
    package_data={
        **{package: ["py.typed"] for package in PACKAGES},
        "maze_gen": ["py.typed", "layouts/*.txt", "pools/*.npz"],
        "env.lab": ["*.lua"],
        "env.painting": ["data/digits.npz", "data/LICENSE"],
        "experiments": ["py.typed", "pretrained/*.safetensors"],
        "experiments.painting": ["data/classifier.npz"],
    },
    install_requires=ENVIRONMENTS,
    extras_require={"train": TRAIN, "play": PLAY, "gpu": GPU, "ray": [*TRAIN, *RAY], "characters": CHARACTERS, "test": TEST},
)
