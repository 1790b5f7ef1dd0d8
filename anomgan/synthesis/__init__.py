"""Sensor data made, completed and moved by one trained generator: the synthesizer and its verbs."""
