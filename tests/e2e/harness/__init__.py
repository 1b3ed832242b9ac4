"""What the end-to-end tests stand on: a private PostgreSQL cluster, the program, comparisons.

Nothing here is optional: a missing tool is an error, never a skipped test.
"""
