"""The emulators' behaviours; each test of a service's behaviour says where the behaviour is known from."""
