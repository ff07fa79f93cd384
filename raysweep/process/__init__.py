"""How a command's process ends: by itself, by a signal, with all that it has started."""
