"""A kind of model with the images of a request: how it is read, measured and written."""
