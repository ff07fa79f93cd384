"""From a search space to trials, their stages and their keys, before anything starts."""
