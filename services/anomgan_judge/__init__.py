"""Follows what is true and what a detector tells of it, on a broker or in files, and writes the report."""
