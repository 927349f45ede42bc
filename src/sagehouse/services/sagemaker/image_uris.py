"""What an image URI of a request means here, in the errors of the API."""

from sagehouse import images


def image_of(uri: str) -> images.Image:
    """Return the image; Invalid, naming it, if nothing here can run it."""
    return images.resolve(uri)
