"""Readers as files: what other tools export, any CSV, and our own export, out and in.

Files are read and judged by pure functions; `importing` alone brings people in, by `subscribers.arrivals`.
"""
