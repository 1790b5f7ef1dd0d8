"""The simulator: a scenario or a recorded file -> wire -> MQTT, with the ground truth beside it."""
