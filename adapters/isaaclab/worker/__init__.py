"""What runs in Isaac Lab's own Python: the environments and the loop that steps them. Nothing here is imported by the program itself."""
