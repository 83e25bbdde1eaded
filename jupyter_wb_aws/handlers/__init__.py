"""The REST contract: one module a resource."""
