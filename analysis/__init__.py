"""The paper's tables and figures from a sweep's results: ``raysweep report RESULTS``."""

from raysweep.process.ending import begin_if_command

begin_if_command(__name__)
