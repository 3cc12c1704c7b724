"""One person's data: all of it in one file, and all of it gone (GDPR 15, 17, 20)."""
