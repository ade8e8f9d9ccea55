"""The HTTP API under /api/v1: what integrators, the tests and `frontdesk ask` speak to."""
