"""One Alembic history for the tables of both packages."""

HEAD = "0016"
"""The revision this program's tables have; a test holds it to the newest migration."""
