"""One thread for every test of this folder; players' own blocks still play side by side."""

from tests.threads import one_thread

__all__ = ["one_thread"]
