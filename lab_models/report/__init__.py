"""The report of a run: pictures, words, one page that opens offline, and the model card."""
