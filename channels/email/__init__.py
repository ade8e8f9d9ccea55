"""E-mail: what came in is read here, and what goes out is composed and sent."""
