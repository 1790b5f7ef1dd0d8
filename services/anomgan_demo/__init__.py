"""The demo: broker, simulated devices, training, live detection and dashboard on one machine."""
