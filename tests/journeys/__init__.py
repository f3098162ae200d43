"""The order service as its callers see it, HTTP in and HTTP out: here, or with --target=azure where it is deployed."""
