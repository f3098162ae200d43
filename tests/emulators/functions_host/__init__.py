"""The Functions host, met through its command and its socket."""
