"""The echo component."""
