"""Who has networks trained: processes here, a Dask cluster, or packs in JAX on a GPU."""
