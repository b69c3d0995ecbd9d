"""Weights: locking what DVC points to, and sending it."""
