"""What goes wrong between a data set of failures and a forecast made of it."""


class ForecastError(Exception):
    """Data, or a forecast, that cannot be used. The text is one sentence that names what was found and what was expected."""
