"""The search space: what its file may say, and the chains, axes and searches in it."""
