"""The embedding component."""
