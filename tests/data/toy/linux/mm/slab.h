struct slab {
#if defined(CONFIG_SLAB)
	int active;
#elif defined(CONFIG_SLUB)
# ifdef CONFIG_TOY_MERGE
	int merged;
# else
	int alone;
# endif
	int inuse;
#elif defined(CONFIG_SLOB)
	int units;
#else
#error "no allocator"
#endif
};

#if defined(CONFIG_SLAB) || defined(CONFIG_SLUB_DEBUG)
void show(void);
#endif

#define RESERVE	(12 << 10)
