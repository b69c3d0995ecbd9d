"""One workflow per verb: read, decide, write, and return a value."""
