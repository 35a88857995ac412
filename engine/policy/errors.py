"""What goes wrong between a policy's files and its first inference."""


class PolicyError(Exception):
    """A policy could not be loaded or asked. The text is one sentence that names the file or the input, and what was expected."""
