"""Worlds outside the desk, for tests, simulation and demonstration: real protocols, no people."""
