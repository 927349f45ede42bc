"""What the toolkit tells the user when it cannot go on. The script's own errors are the script's."""


class ToolkitError(Exception):
    """A job cannot be run as it was asked for; the message says why and what to change."""
