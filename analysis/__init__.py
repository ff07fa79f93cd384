"""The paper's tables and figures from a sweep's results: ``python -m analysis RESULTS``."""
