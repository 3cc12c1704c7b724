"""From posts to the bytes of a message."""
