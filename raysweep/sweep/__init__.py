"""Ray: the cluster, the trials' drivers and worker groups, and all that they tell each other."""
