"""Copies of the database: made while the site runs, and put back so that nothing is sent twice."""
