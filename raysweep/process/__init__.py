"""How a command's process ends, with all that it has started; processes forked; what they say."""
