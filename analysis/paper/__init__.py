"""The paper's tables and figures, each in a module of its own."""
