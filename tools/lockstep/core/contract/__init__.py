"""Contracts: whether what a provider promises is what somebody needs."""
