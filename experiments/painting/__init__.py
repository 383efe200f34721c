"""Paintings of trained agents: made, measured and shown."""
