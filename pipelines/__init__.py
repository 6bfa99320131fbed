"""Whatever lies on disk becomes a manifest, a split, and batches."""
