"""The ensemble: building, loading, running and training policies of LeRobot's SmolVLA class."""
