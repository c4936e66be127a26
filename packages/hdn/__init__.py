"""HDN: a ladder variational autoencoder whose samples are possible restorations."""
