"""What each process that works on a trial does: train, publish, measure. Without Ray."""
