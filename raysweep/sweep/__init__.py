"""Ray: the cluster, drivers of trials, lanes with their workers, and what they tell each other."""
