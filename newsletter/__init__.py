"""Paperround: a self-hosted newsletter publisher for advice posts.

The way of a post is told in ARCHITECTURE.md. Nothing is imported here, so that `paperround --help`
stays as quick as a bare interpreter allows.
"""

__version__ = "0.1.0"
