"""The example projects of docs/examples, as their users run them."""
