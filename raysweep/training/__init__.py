"""How a stage is trained: hyperparameters, batches, loss, DeepSpeed's engine, the loop."""
