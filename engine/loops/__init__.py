"""The threads: control, camera, inference; and what they tell the watchdog."""
