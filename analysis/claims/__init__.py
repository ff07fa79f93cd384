"""The paper's claims, and whether a sweep's results bear them out."""
