"""anomgan_simulator."""
