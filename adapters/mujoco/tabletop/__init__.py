"""A table top with a red cube and a blue zone, and an arm with a gripper at it: a Franka or an SO-101."""
