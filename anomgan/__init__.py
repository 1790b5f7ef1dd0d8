"""anomgan."""
