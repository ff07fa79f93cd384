"""What is measured of a stage's model: answers and scores, forgetting, the curvature of a loss."""
