"""The proof kit: a watcher, a load generator and a checker on one clock; and the stage that scenarios play on."""

from pathlib import Path

TOP = Path(__file__).resolve().parents[3]  # of this clone
