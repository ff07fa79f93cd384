"""From the store's entries to tables, metrics, summaries and SQL."""
