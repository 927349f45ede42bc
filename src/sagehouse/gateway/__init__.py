"""The front door: one port, every AWS service. Bytes to operations and back; no knowledge of any resource."""
