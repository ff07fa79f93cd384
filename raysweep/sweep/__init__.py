"""Ray: the cluster, the trials' drivers, the lanes with their workers, and what they tell each other."""
