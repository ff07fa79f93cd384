"""Files in a storage location, and finished work in it by key, the only truth of what is done."""
