"""Training on several machines: each node has a store of its own, and nodes exchange the changes of their parameters."""
