"""Lockstep: many AI components, one immutable release, one pointer that moves.

The flow, left to right: component -> plan -> build -> release -> stage -> promote -> (retire | rollback).
"""

__version__ = "0.1.0"
