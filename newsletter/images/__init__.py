"""The pictures of a post: found or fetched, made fit for mail, kept, and set into the letter."""

MAX_BYTES = 20_000_000
"""The largest picture file that is read, from the web or from disk."""
