"""raysweep: sweeps of chained LLaMA finetunes that measure what is forgotten, by whom, and why."""
