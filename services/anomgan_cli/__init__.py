"""anomgan_cli."""
