"""Files: written whole or not at all, checksummed, locked, and cached."""
