"""The real SO-101 through LeRobot's own classes, and a servo bus to try it all on without one."""
