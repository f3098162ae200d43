# Each verb sets up what it needs on first use. Windows without make: `py -m local VERB`.
PYTHON ?= python3

.PHONY: setup up demo test check conformance bench
setup up demo test check bench:
	@$(PYTHON) -m local $@ $(ARGS)
conformance:
	@$(PYTHON) -m local $@ $(if $(QUICK),--quick) $(ARGS)
