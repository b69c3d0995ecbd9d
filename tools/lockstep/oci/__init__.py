"""OCI images without a daemon: deterministic layers, manifests, and the store in a folder."""
