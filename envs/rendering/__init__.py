"""Pictures of an episode: what happened so far, and how it is drawn."""
