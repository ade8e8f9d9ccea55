"""What every HTTP handler stands on: rules, refusals, bodies, event streams, headers, health."""
