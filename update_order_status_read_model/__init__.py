"""The read side: follows the events of the write side into views of its own, and answers queries from them."""
