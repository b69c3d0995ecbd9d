"""Who makes runtimes, as lockstep.yaml and component.yaml name it."""

from __future__ import annotations

from enum import StrEnum


class Builder(StrEnum):
    """Who makes the part of an image that changes seldom."""

    WHEELS = "wheels"  # Lockstep itself, from hash-locked wheels
    DOCKER = "docker"  # a Docker daemon, from a Dockerfile
