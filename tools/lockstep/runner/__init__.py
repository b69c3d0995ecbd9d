"""The local runner: follows Git, runs the literal objects as processes, flips a small HTTP front."""
