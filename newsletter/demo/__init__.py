"""The demo: a site of its own with sample posts and six readers, run for two weeks in a few seconds."""
