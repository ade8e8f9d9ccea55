"""Slack: customers' messages in, growing replies out, and handoffs in a channel of the staff."""
