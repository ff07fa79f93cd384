"""The paper's tables and figures from a sweep's results: ``python -m analysis RESULTS``."""

from raysweep.process.ending import begin_if_command

begin_if_command(__name__)
