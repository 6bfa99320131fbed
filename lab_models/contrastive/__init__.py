"""Contrastive training: losses, the projection model, and what watches over them."""
