"""One outside tool per file; no decisions."""
