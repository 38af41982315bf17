"""This folder has many networks trained: by processes here, by a Dask cluster, or in packs on a GPU."""
