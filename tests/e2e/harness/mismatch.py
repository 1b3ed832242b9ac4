"""Versions that do not fit: what is refused, with which words, before anything is touched."""

CHECKS = []
