"""Models and texts: checkpoints on disk, checked before they are loaded, and the one encoder."""
