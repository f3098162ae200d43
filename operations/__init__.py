"""What an operator runs against any deployment of the order service: `python -m operations VERB`."""
