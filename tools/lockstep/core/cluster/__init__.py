"""What a cluster holds, as values, and what follows from it: readiness, preflight, Git and cluster side by side."""
