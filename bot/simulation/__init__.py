"""A world to try Frontdesk in: servers and people on loopback, speaking the real protocols."""
