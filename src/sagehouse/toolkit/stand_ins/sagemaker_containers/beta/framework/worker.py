"""The response that output_fn and transform_fn may return."""

from sagehouse.toolkit.absent import absent


class Response:
    """A body with its content type and status."""

    def __init__(self, response=None, accept=None, status=200, mimetype=None):
        self.response = b"" if response is None else response
        self.mimetype = mimetype or accept
        self.status_code = int(status)

    @property
    def content_type(self):
        return self.mimetype

    def get_data(self, as_text=False):
        """Return the body as bytes, or as text."""
        data = self.response.encode("utf-8") if isinstance(self.response, str) else bytes(self.response)
        return data.decode("utf-8") if as_text else data


__getattr__ = absent(__name__)
