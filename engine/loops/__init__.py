"""One thread a file: control, camera, inference, watchdog."""
