"""A network as a Keras layer and as a Keras model, with its parameters as weights."""
