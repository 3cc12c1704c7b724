"""Readers as files: what other tools export, any CSV, and our own export, out and in.

All of it reads and judges, and changes nothing: who brings the people in is another's work.
"""
