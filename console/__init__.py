"""The operator's console: the Textual app and the command line. Nothing here decides anything about safety."""
