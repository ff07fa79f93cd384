"""What the results of a sweep say, as tables and figures ask for it."""
