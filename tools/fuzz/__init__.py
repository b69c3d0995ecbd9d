"""Contracts made up: pairs of schemas, and the instances that would prove a verdict about them wrong."""
