"""A real one-node Kubernetes for demos and tests: `make cluster`."""
