"""Forge and settings: pages of releases, and whether what only settings can give is there."""
