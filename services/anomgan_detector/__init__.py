"""anomgan_detector."""
