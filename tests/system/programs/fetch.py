"""Get a URL as any program with `requests` does, and print the answer, or why there is none."""

import sys

import requests

try:
    print(requests.get(sys.argv[1], timeout=20).text)
except requests.RequestException as error:
    print(f"refused: {error}")
