"""The shortcut ("sanity") test: has a network learned the cell, or the database it came from?"""
