"""Imported by many scripts beside what they use; nothing of it is here."""

from sagehouse.toolkit.absent import absent

__getattr__ = absent(__name__)
