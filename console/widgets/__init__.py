"""The console's widgets: one a file, its text rows a pure function of a view, its style beside it."""
