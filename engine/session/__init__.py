"""Sessions on disk: every run is one Zarr v3 group, written as it happens, readable after a kill at any moment."""
