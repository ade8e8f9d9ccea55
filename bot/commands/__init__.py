"""One module a command: its arguments, and the call of the module that does its work."""
