"""Pages of the reference, each made of what the program itself declares."""
