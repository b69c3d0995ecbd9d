"""Schemas: what changed at each place, in the words of the rules, and whether everything that is sent can be read."""
