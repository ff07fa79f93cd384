"""The site: pages by kind, and the code that writes those which the program describes itself."""
