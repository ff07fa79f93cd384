"""What each process of a trial's worker group does: train, publish, measure. Without Ray."""
