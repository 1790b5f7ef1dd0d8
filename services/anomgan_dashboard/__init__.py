"""anomgan_dashboard."""
