"""Packaging: the project's folders are plain packages of those names; versions that were tested stand in constraints.txt."""

from setuptools import find_packages, setup

PACKAGES = ["maze_gen", "env", "auxiliary", "agents", "experiments"]

setup(
    name="knossos",
    version="0.1.0",
    description="A 3D navigation benchmark and its baseline agents",
    python_requires=">=3.11,<3.14",
    packages=[found for found in find_packages() if found.split(".")[0] in PACKAGES],
    package_data={"env.lab": ["*.lua"], "maze_gen": ["layouts/*.txt"]},
    install_requires=[
        "numpy>=2.0",
        "numba>=0.61",
        "numba-cuda>=0.20",
        "gymnasium>=1.2",
        "dm-env>=1.6",
        "torch>=2.6",
        "safetensors>=0.5",
        "tensorboard>=2.19",
        "tyro>=1.0",
        "pillow>=11.0",
        "matplotlib>=3.10",
        "imageio>=2.37",
        "imageio-ffmpeg>=0.6",
        "pygame>=2.6",
        "psutil>=6.0",
    ],
    extras_require={
        "test": ["pytest>=8.3", "pytest-xdist>=3.6", "hypothesis>=6.120", "ruff>=0.9", "pyright[nodejs]>=1.1.400"],
    },
    entry_points={"gymnasium.envs": ["__root__ = env.registration:register_environments"]},
)
