"""Inspection of data sets: what somebody should look at before anything is trained on them.

`inspect_dataset` finds, `write_inspection` writes the page and the tables, `clean_manifest` applies
chosen findings.
"""
