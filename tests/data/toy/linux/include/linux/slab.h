struct kmem_cache;
