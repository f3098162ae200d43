"""Input and output bindings, a module a service. Each reads or writes one value for one invocation."""
