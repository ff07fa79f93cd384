"""raysweep: sweeps of chained LLaMA finetunes that measure what is forgotten, by whom, and why."""

from raysweep.process.ending import begin_if_command

begin_if_command(__name__)
