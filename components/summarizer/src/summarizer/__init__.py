"""The summarizer component."""
