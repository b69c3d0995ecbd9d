"""`make demo`: this repository releases itself, on this machine, under load. Each promise of the README is watched; a
broken one ends it with exit 1.
"""
