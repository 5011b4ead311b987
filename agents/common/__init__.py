"""What the agents share: their base, policies and settings, and how they are saved, found and shown the state."""
