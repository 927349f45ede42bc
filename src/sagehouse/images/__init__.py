"""What an image URI means here: repository and tag -> Python environment and commands. Pure: installs nothing."""

from sagehouse.images.image import EnvironmentSpec, Image, MetricDefinition, Requirements
from sagehouse.images.resolve import known_images, resolve

__all__ = ["EnvironmentSpec", "Image", "MetricDefinition", "Requirements", "known_images", "resolve"]
