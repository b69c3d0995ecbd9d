"""The llm component."""
