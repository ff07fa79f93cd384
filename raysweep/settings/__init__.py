"""What every group of settings has in common: closed frozen models, bounds, paths, plain YAML.

Touches nothing but the standard library and pydantic; every other room may use it.
"""
