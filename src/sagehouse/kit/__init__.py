"""The words everyone uses: ARNs, documents, errors, pages, tags. Values and pure functions only."""
