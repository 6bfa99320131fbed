"""From a trained model to a bundle on the device. Importing this package imports nothing."""
