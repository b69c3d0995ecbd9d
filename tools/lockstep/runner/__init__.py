"""The local runner: follows Git, runs the literal objects as processes, flips a small HTTP front."""

from lockstep.runner.ports import EnvironmentFiles, Event, ImageFolders, Listener, Options
from lockstep.runner.up import run, up

__all__ = ["EnvironmentFiles", "Event", "ImageFolders", "Listener", "Options", "run", "up"]
