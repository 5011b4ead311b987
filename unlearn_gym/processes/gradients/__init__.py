"""How the two gradients of a minibatch are computed."""
