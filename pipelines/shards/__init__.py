"""Data sets in shards: many images in few files, with a manifest that points into them.

`pack.pack_dataset` writes them, `pipelines.datasets.shards` reads them. A pack is a folder with

- ``shard-00001-of-00004.tfrecord`` and so on: TFRecord files of ``tf.train.Example`` records
  (see `records`), one a row, for any program that reads such files;
- ``manifest.csv``: the manifest; its paths are byte references into the shards, so everything
  that reads a manifest reads a pack;
- ``pack.json``: classes, and every shard with its size and SHA-256. Written last: a folder
  without it is no pack yet;
- ``quarantine.csv``: the images left out, if it was asked for that unreadable ones are.
"""
