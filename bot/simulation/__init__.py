"""Worlds outside the desk, for tests, the simulator and demonstrations: real protocols, no real people."""
