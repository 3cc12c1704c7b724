"""People, their subscriptions, and the evidence of their consent.

This package knows nothing of posts, letters or SMTP: newsletter imports it, never the other way round.
"""
