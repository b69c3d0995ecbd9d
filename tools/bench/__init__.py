"""Measures what Lockstep costs: real commands, as whole processes, on scratch folders that are removed."""
