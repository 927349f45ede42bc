"""What the rooms exchange: Protocols and frozen values. No code lives here.

`House` (house.py) is the bundle an operation is handed; every other module holds one port.
"""
