"""Readers: folders, parquet files, arrays, data sets and the hub, to images and labels."""
