"""Many networks at once: the processes of a stack of environments. Experimental until a GPU has measured them."""
