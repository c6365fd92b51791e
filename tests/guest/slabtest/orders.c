// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/slabtest: what the user-space checks have the module do. A write is one order, carried out
 * before it returns; a read shows the state, one "key value" a line.
 *
 *   hold COUNT      have that many objects of slabtest_held, after freeing any other
 *   more COUNT      have that many more
 *   hold_on CPU     have 20000 of them, allocated on that CPU
 *   keep COUNT      free all but that many
 *   release         free all
 *   release_on CPU  free all, on that CPU
 *   release_bulk    free all, many by one call
 *   spread COUNT    have that many more of each node with memory, asked for by name
 *   shrink          kmem_cache_shrink
 *   spoil / mend    write where no user may: behind a free object in a slab of held ones; undo it
 *   cycle COUNT     create, use and destroy a cache, slabtest_brief, so many times
 *   brief 0|1       destroy or create it
 *   twins 0|1       destroy or create three caches that could be one, slabtest_twin_a, _b and _c
 *   close           free all, and destroy slabtest_held: the kernel complains of what is left
 *   place NODE      have 5000 objects of slabtest_placed, on that node
 *   place_on CPU    the same, where that CPU gets them if it does not ask
 *   unplace         free all of them
 *   settle          kmem_cache_shrink
 *   displace        free all of them, and the cache
 *   hoard MIB       take all memory but that much
 *   give            give it back
 *   queue MIB       allocate that much on the CPUs together, in many sizes, and free it
 *   storm / calm    the storm of storm.c, on all CPUs; storm US: with pauses of microseconds
 *   charge COUNT    have that many accounted objects, charged to the writer
 *   charge_bulk COUNT, uncharge_bulk: the same, many by one call
 *   charge_fail COUNT: a bulk of so many, while there is no memory
 *   uncharge        free them
 *   strew NODES     have objects of slabtest_placed on these nodes (a mask), and free every second
 *   roam COUNT      have that many more of slabtest_placed, in the writer's context, from anywhere
 *   roam_hard COUNT the same, and not from where the writer's cpuset forbids
 *   settle_rcu      wait until what RCU is to free is free
 *   kmalloc SIZE    allocate one object of that size, and free it
 *   fail COUNT      try that many allocations in the writer's context, and count those that fail
 */
#define pr_fmt(fmt) fmt

#include <linux/kfence.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "slabtest.h"

#define HELD_SIZE 256
#define CHARGED_SIZE 512
#define PLACED 5000

/* A cache and all of its objects that are in use. */
struct stock {
	const char *name;
	unsigned int size;
	slab_flags_t flags;
	gfp_t gfp;			/* beyond GFP_KERNEL */
	int node;
	struct kmem_cache *cache;
	unsigned int count;
	unsigned int most;		/* that there were, the freed ones among them */
	void **objects;
};

static struct stock held = {
	.name = "slabtest_held", .size = HELD_SIZE, .node = NUMA_NO_NODE,
};
static struct stock charged = {
	.name = "slabtest_charged", .size = CHARGED_SIZE, .node = NUMA_NO_NODE,
};
static struct stock placed = { .name = "slabtest_placed", .size = HELD_SIZE };
/* Of the same cache, from wherever the writer gets them. */
static struct stock roamed = { .size = HELD_SIZE, .node = NUMA_NO_NODE };

static DEFINE_MUTEX(orders_lock);
static struct st orders;
static unsigned long refused;		/* allocations that failed on order */
static unsigned long stormed;		/* objects of storms */

/* A constructor keeps a cache from being merged: it is then found under its own name. */
static void nothing(void *object)
{
}

static void stock_keep(struct stock *stock, unsigned int count)
{
	while (stock->count > count) {
		void *object = stock->objects[--stock->count];

		st_spend(&orders, object, stock->size);
		kmem_cache_free(stock->cache, object);
	}
	if (count)
		return;
	kvfree(stock->objects);
	stock->objects = NULL;
	stock->most = 0;
}

static int stock_more(struct stock *stock, unsigned int more)
{
	unsigned int count = stock->count + more;
	void **objects;

	if (!stock->cache)
		stock->cache = kmem_cache_create(stock->name, stock->size, 0, stock->flags,
						 nothing);
	objects = kvcalloc(count, sizeof(*stock->objects), GFP_KERNEL);
	if (!stock->cache || !objects) {
		kvfree(objects);
		return -ENOMEM;
	}
	memcpy(objects, stock->objects, stock->count * sizeof(*objects));
	kvfree(stock->objects);
	stock->objects = objects;
	stock->most = count;
	for (; stock->count < count; stock->count++) {
		void *object = kmem_cache_alloc_node(stock->cache, GFP_KERNEL | stock->gfp,
						     stock->node);

		if (!object)
			return -ENOMEM;
		st_fill(&orders, object, stock->size);
		stock->objects[stock->count] = object;
	}
	return 0;
}

static int stock_hold(struct stock *stock, unsigned int count)
{
	stock_keep(stock, 0);
	return stock_more(stock, count);
}

/* An object that was freed, in a slab where another one is in use: it lies there free. */
static void *stock_free_object(const struct stock *stock)
{
	unsigned int i, j;

	for (i = stock->count; i < stock->most; i++) {
		if (is_kfence_address(stock->objects[i]))
			continue;
		for (j = 0; j < stock->count; j++)
			if (!((st_at(stock->objects[i]) ^ st_at(stock->objects[j])) >> PAGE_SHIFT))
				return stock->objects[i];
	}
	return NULL;
}

/* The pages they lie in. */
static unsigned int stock_pages(const struct stock *stock)
{
	unsigned int pages, most;

	st_slabs_of(stock->objects, stock->count, &pages, &most);
	return pages;
}

/* How many lie in the cache's own slabs. */
static unsigned int stock_in_slabs(const struct stock *stock)
{
	unsigned int i, count = 0;

	for (i = 0; i < stock->count; i++)
		count += !is_kfence_address(stock->objects[i]);
	return count;
}

/* The node that all of them lie on, -1 if there is none. */
static int stock_node(const struct stock *stock)
{
	int node = NUMA_NO_NODE;
	unsigned int i;

	for (i = 0; i < stock->count; i++) {
		int here = page_to_nid(virt_to_page(stock->objects[i]));

		if (is_kfence_address(stock->objects[i]))
			continue;
		if (node != NUMA_NO_NODE && node != here)
			return NUMA_NO_NODE;
		node = here;
	}
	return node;
}

/* Free all, a few at a time. */
static void stock_free_bulk(struct stock *stock)
{
	while (stock->count) {
		unsigned int n = min(stock->count, 64U), i;

		stock->count -= n;
		for (i = 0; i < n; i++)
			st_spend(&orders, stock->objects[stock->count + i], stock->size);
		kmem_cache_free_bulk(stock->cache, n, stock->objects + stock->count);
	}
	stock_keep(stock, 0);
}

static void stock_close(struct stock *stock)
{
	stock_keep(stock, 0);
	kmem_cache_destroy(stock->cache);
	stock->cache = NULL;
}

static int order_hold(unsigned int count)
{
	return stock_hold(&held, count);
}

static int order_more(unsigned int count)
{
	return stock_more(&held, count);
}

/* Hold so many more of each node, asked for by name. */
static int order_spread(unsigned int count)
{
	int node, error = 0;

	for_each_node_state(node, N_MEMORY) {
		held.node = node;
		error = error ?: stock_more(&held, count);
	}
	held.node = NUMA_NO_NODE;
	return error;
}

/* Have a thread of a CPU fill a stock. */
struct errand {
	struct stock *stock;
	unsigned int count;
	int error;
};

static void hold_here(struct st_worker *worker)
{
	struct errand *errand = worker->data;

	errand->error = stock_hold(errand->stock, errand->count);
}

static int stock_hold_on(struct stock *stock, unsigned int cpu, unsigned int count)
{
	struct errand errand = { .stock = stock, .count = count };

	if (cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -ENXIO;
	return st_run_on(&orders, cpu, hold_here, &errand) ? errand.error : -ENOMEM;
}

static int order_hold_on(unsigned int cpu)
{
	return stock_hold_on(&held, cpu, 20000);
}

static int order_place(unsigned int node)
{
	if (node >= MAX_NUMNODES || !node_online(node))
		return -ENXIO;
	placed.node = node;
	placed.gfp = __GFP_THISNODE;
	return stock_hold(&placed, PLACED);
}

static int order_place_on(unsigned int cpu)
{
	placed.node = NUMA_NO_NODE;
	placed.gfp = 0;
	return stock_hold_on(&placed, cpu, PLACED);
}

static int order_unplace(unsigned int unused)
{
	stock_keep(&placed, 0);
	return 0;
}

static int order_settle(unsigned int unused)
{
	if (!placed.cache)
		return -ENOENT;
	kmem_cache_shrink(placed.cache);
	return 0;
}

static int order_displace(unsigned int unused)
{
	stock_keep(&roamed, 0);
	stock_close(&placed);
	return 0;
}

static int order_strew(unsigned int nodes)
{
	unsigned int i, kept = 0;
	int node, error = 0;

	stock_keep(&placed, 0);
	placed.gfp = __GFP_THISNODE;
	for_each_node_state(node, N_MEMORY) {
		placed.node = node;
		if (node < 32 && nodes >> node & 1)
			error = error ?: stock_more(&placed, 2000);
	}
	for (i = 0; i < placed.count; i++) {
		if (i % 2) {
			st_spend(&orders, placed.objects[i], placed.size);
			kmem_cache_free(placed.cache, placed.objects[i]);
		} else {
			placed.objects[kept++] = placed.objects[i];
		}
	}
	placed.count = kept;
	return error;
}

static int roam(unsigned int count, gfp_t gfp)
{
	int error = stock_more(&placed, 0);

	if (error)
		return error;
	roamed.cache = placed.cache;
	roamed.gfp = gfp;
	return stock_more(&roamed, count);
}

static int order_roam(unsigned int count)
{
	return roam(count, 0);
}

static int order_roam_hard(unsigned int count)
{
	return roam(count, __GFP_HARDWALL);
}

static int order_settle_rcu(unsigned int unused)
{
	rcu_barrier();
	return 0;
}

static int order_keep(unsigned int count)
{
	stock_keep(&held, count);
	return 0;
}

static int order_release(unsigned int unused)
{
	stock_keep(&held, 0);
	return 0;
}

static int order_release_bulk(unsigned int unused)
{
	stock_free_bulk(&held);
	return 0;
}

static void release_here(struct st_worker *worker)
{
	stock_keep(worker->data, 0);
}

static int order_release_on(unsigned int cpu)
{
	if (cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -ENXIO;
	return st_run_on(&orders, cpu, release_here, &held) ? 0 : -ENOMEM;
}

static int order_shrink(unsigned int unused)
{
	if (!held.cache)
		return -ENOENT;
	kmem_cache_shrink(held.cache);
	return 0;
}

/* What was behind the object that was spoilt. */
static unsigned long *spoilt;
static unsigned long sound;

/* The cache has a constructor, so what the allocator keeps in a free object is behind it. */
static int order_spoil(unsigned int unused)
{
	void *object = stock_free_object(&held);

	if (!object || spoilt)
		return -ENOENT;
	spoilt = object + HELD_SIZE;
	sound = *spoilt;
	*spoilt = 0x5a5a5a5a5a5a5a5aUL;
	return 0;
}

static int order_mend(unsigned int unused)
{
	if (!spoilt)
		return -ENOENT;
	*spoilt = sound;
	spoilt = NULL;
	return 0;
}

static struct kmem_cache *brief;

static int order_brief(unsigned int there)
{
	if (!there == !brief)
		return -EINVAL;
	if (there)
		brief = kmem_cache_create("slabtest_brief", 128, 0, 0, nothing);
	else
		kmem_cache_destroy(brief);
	if (!there)
		brief = NULL;
	return there && !brief ? -ENOMEM : 0;
}

static int order_cycle(unsigned int count)
{
	int error = 0;

	while (count-- && !error) {
		void *object;

		error = order_brief(1);
		if (error)
			break;
		object = kmem_cache_alloc(brief, GFP_KERNEL);
		if (object)
			kmem_cache_free(brief, object);
		error = order_brief(0);
	}
	return error;
}

static struct kmem_cache *twins[3];

static int order_twins(unsigned int there)
{
	static const char * const names[] = {
		"slabtest_twin_a", "slabtest_twin_b", "slabtest_twin_c",
	};
	int i, error = 0;

	for (i = 0; i < ARRAY_SIZE(twins); i++) {
		if (there && !twins[i]) {
			twins[i] = kmem_cache_create(names[i], 1336, 0, 0, NULL);
			error = twins[i] ? error : -ENOMEM;
		} else if (!there) {
			kmem_cache_destroy(twins[i]);
			twins[i] = NULL;
		}
	}
	return error;
}

/* How many are one with another that was there before. */
static int twins_merged(void)
{
	int i, j, merged = 0;

	for (i = 1; i < ARRAY_SIZE(twins); i++) {
		for (j = 0; j < i && twins[j] != twins[i]; j++)
			;
		merged += twins[i] && j < i;
	}
	return merged;
}

static int order_close(unsigned int unused)
{
	stock_close(&held);
	return 0;
}

static void fill_queues(struct st_worker *worker)
{
	unsigned long bytes = *(unsigned long *)worker->data / worker->count;
	unsigned int size, n, count;
	void **objects;

	/* Six sizes; smaller objects take long under lockdep and show no more. */
	for (size = 128; size <= 4096; size *= 2) {
		count = bytes / 6 / size;
		objects = kvcalloc(count, sizeof(*objects), GFP_KERNEL);
		if (!objects)
			return;
		for (n = 0; n < count; n++) {
			objects[n] = kmalloc(size, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
			if (!objects[n])
				break;
			st_fill(worker->t, objects[n], size);
		}
		while (n--) {
			st_spend(worker->t, objects[n], size);
			kfree(objects[n]);
		}
		kvfree(objects);
		st_alive(worker->t);
	}
}

static LIST_HEAD(hoarded);

static int order_hoard(unsigned int mib)
{
	st_hoard(&hoarded, ((unsigned long)mib << 20) >> PAGE_SHIFT);
	return list_empty(&hoarded) ? -ENOMEM : 0;
}

static int order_give(unsigned int unused)
{
	st_give_back(&hoarded);
	return 0;
}

static int order_queue(unsigned int mib)
{
	unsigned long bytes = (unsigned long)mib << 20;

	return st_run_on_all(&orders, fill_queues, &bytes) ? 0 : -ENOMEM;
}

static int order_storm(unsigned int pause)
{
	return st_storm_start(&orders, cpu_online_mask, pause);
}

static int order_calm(unsigned int unused)
{
	stormed += st_storm_stop(&orders);
	return 0;
}

static int order_charge(unsigned int count)
{
	charged.flags = SLAB_ACCOUNT;
	return stock_hold(&charged, count);
}

static int order_uncharge(unsigned int unused)
{
	stock_keep(&charged, 0);
	return 0;
}

static int order_charge_bulk(unsigned int count)
{
	charged.flags = SLAB_ACCOUNT;
	stock_keep(&charged, 0);
	/* Room for them, and the cache; nothing is in it yet. */
	if (stock_more(&charged, 0))
		return -ENOMEM;
	kvfree(charged.objects);
	charged.objects = kvcalloc(count, sizeof(*charged.objects), GFP_KERNEL);
	if (!charged.objects)
		return -ENOMEM;
	while (charged.count < count) {
		unsigned int n = min(count - charged.count, 64U), i;

		if (!kmem_cache_alloc_bulk(charged.cache, GFP_KERNEL, n,
					   charged.objects + charged.count))
			return -ENOMEM;
		for (i = 0; i < n; i++)
			st_fill(&orders, charged.objects[charged.count + i], charged.size);
		charged.count += n;
	}
	charged.most = count;
	return 0;
}

static int order_uncharge_bulk(unsigned int unused)
{
	stock_free_bulk(&charged);
	return 0;
}

/* A bulk of which not all can be had gives nothing, and nothing is to be paid for. */
static int order_charge_fail(unsigned int count)
{
	void **objects = kvcalloc(count, sizeof(*objects), GFP_KERNEL);
	LIST_HEAD(pages);
	int got = -ENOMEM;

	charged.flags = SLAB_ACCOUNT;
	if (objects && !stock_more(&charged, 0)) {
		st_hoard(&pages, 0);
		got = kmem_cache_alloc_bulk(charged.cache, GFP_NOWAIT | __GFP_NOWARN, count, objects);
		st_give_back(&pages);
		if (got > 0)
			kmem_cache_free_bulk(charged.cache, got, objects);
	}
	kvfree(objects);
	return got > 0 ? -EEXIST : got;
}

static void *try_one(struct kmem_cache *cache, unsigned int turn, size_t *size)
{
	*size = 256;
	switch (turn % 4) {
	case 0:
		return kmem_cache_alloc(cache, GFP_KERNEL);
	case 1:
		return kmem_cache_alloc_node(cache, GFP_KERNEL, numa_node_id());
	case 2:
		*size = 1 + turn % 3000;
		return kmalloc(*size, GFP_KERNEL);
	default:
		*size = 1 + turn % 3000;
		return kzalloc(*size, GFP_NOWAIT);
	}
}

static void try_bulk(struct kmem_cache *cache)
{
	void *objects[32];
	int got, i;

	got = kmem_cache_alloc_bulk(cache, GFP_KERNEL, ARRAY_SIZE(objects), objects);
	if (!got) {
		refused++;
		return;
	}
	st_check(&orders, got == ARRAY_SIZE(objects), "a bulk of %d", got);
	for (i = 0; i < got; i++)
		st_fill(&orders, objects[i], 256);
	for (i = 0; i < got; i++)
		st_spend(&orders, objects[i], 256);
	kmem_cache_free_bulk(cache, got, objects);
}

/* A cache for a task whose allocations fail: not this one, which would be told on the console. */
static struct kmem_cache *create_spared(const char *name)
{
	struct kmem_cache *cache;
#ifdef CONFIG_FAULT_INJECTION
	bool suffers = current->make_it_fail;

	current->make_it_fail = 0;
#endif
	cache = kmem_cache_create(name, 256, 0, ST_OWN, NULL);
#ifdef CONFIG_FAULT_INJECTION
	current->make_it_fail = suffers;
#endif
	return cache;
}

static int order_fail(unsigned int count)
{
	struct kmem_cache *cache = create_spared("slabtest_fail");
	unsigned int turn;

	refused = 0;
	if (!cache)
		return -ENOMEM;
	for (turn = 0; turn < count; turn++) {
		size_t size;
		void *object = try_one(cache, turn, &size);

		if (object) {
			st_fill(&orders, object, size);
			st_spend(&orders, object, size);
		} else {
			refused++;
		}
		if (turn % 4 < 2 && object)
			kmem_cache_free(cache, object);
		else
			kfree(object);
		if (!(turn % 16))
			try_bulk(cache);
	}
	kmem_cache_destroy(cache);
	return 0;
}

static int order_kmalloc(unsigned int size)
{
	void *object = kmalloc(size, GFP_KERNEL);

	kfree(object);
	return object ? 0 : -ENOMEM;
}

static const struct {
	const char *name;
	int (*carry_out)(unsigned int number);
} known[] = {
	{ "hold", order_hold },
	{ "more", order_more },
	{ "spread", order_spread },
	{ "hold_on", order_hold_on },
	{ "place", order_place },
	{ "place_on", order_place_on },
	{ "unplace", order_unplace },
	{ "settle", order_settle },
	{ "displace", order_displace },
	{ "keep", order_keep },
	{ "release", order_release },
	{ "release_on", order_release_on },
	{ "release_bulk", order_release_bulk },
	{ "strew", order_strew },
	{ "roam", order_roam },
	{ "roam_hard", order_roam_hard },
	{ "settle_rcu", order_settle_rcu },
	{ "shrink", order_shrink },
	{ "spoil", order_spoil },
	{ "mend", order_mend },
	{ "cycle", order_cycle },
	{ "brief", order_brief },
	{ "twins", order_twins },
	{ "close", order_close },
	{ "hoard", order_hoard },
	{ "give", order_give },
	{ "queue", order_queue },
	{ "storm", order_storm },
	{ "calm", order_calm },
	{ "charge", order_charge },
	{ "uncharge", order_uncharge },
	{ "charge_bulk", order_charge_bulk },
	{ "uncharge_bulk", order_uncharge_bulk },
	{ "charge_fail", order_charge_fail },
	{ "fail", order_fail },
	{ "kmalloc", order_kmalloc },
};

static int carry_out(char *order)
{
	char *number = order, *name = strsep(&number, " ");
	unsigned int value = 0;
	size_t i;

	if (number && kstrtouint(number, 10, &value))
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(name, known[i].name))
			return known[i].carry_out(value);
	return -EINVAL;
}

static ssize_t orders_write(struct file *file, const char __user *from, size_t size, loff_t *at)
{
	char order[64];
	int error;

	if (size >= sizeof(order))
		return -EINVAL;
	if (copy_from_user(order, from, size))
		return -EFAULT;
	order[size] = '\0';
	mutex_lock(&orders_lock);
	error = carry_out(strim(order));
	mutex_unlock(&orders_lock);
	return error ?: size;
}

/* How many of the objects that lie in slabs are on each node. */
static void show_nodes(struct seq_file *file, const char *key, const struct stock *stock)
{
	unsigned int i, node;

	seq_puts(file, key);
	for (node = 0; node < nr_node_ids; node++) {
		unsigned int count = 0;

		for (i = 0; i < stock->count; i++)
			count += !is_kfence_address(stock->objects[i]) &&
				 page_to_nid(virt_to_page(stock->objects[i])) == node;
		seq_printf(file, " N%u=%u", node, count);
	}
	seq_putc(file, '\n');
}

static int orders_show(struct seq_file *file, void *unused)
{
	mutex_lock(&orders_lock);
	seq_printf(file, "allocator %s\n", st_allocator);
	seq_printf(file, "planned %u\n", st_planned());
	seq_printf(file, "failed %u\n", st_failed());
	seq_printf(file, "held %u\n", stock_in_slabs(&held));
	seq_printf(file, "held_pages %u\n", stock_pages(&held));
	show_nodes(file, "held_nodes", &held);
	show_nodes(file, "roamed_nodes", &roamed);
	seq_printf(file, "merged %d\n", twins_merged());
	seq_printf(file, "placed_node %d\n", stock_node(&placed));
	seq_printf(file, "placed_pages %u\n", stock_pages(&placed));
	seq_printf(file, "errors %d\n", atomic_read(&orders.failures));
	seq_printf(file, "refused %lu\n", refused);
	seq_printf(file, "stormed %lu\n", stormed);
	seq_printf(file, "quarantine %d\n", IS_ENABLED(CONFIG_KASAN_GENERIC));
	seq_printf(file, "merges %d\n", IS_ENABLED(CONFIG_SLAB_MERGE_DEFAULT) &&
					!IS_ENABLED(CONFIG_KASAN));
	seq_printf(file, "slab_pages %ld\n", st_slab_pages());
	seq_printf(file, "known_pages %ld\n", st_known_pages());
	mutex_unlock(&orders_lock);
	return 0;
}

static int orders_file_open(struct inode *inode, struct file *file)
{
	return single_open(file, orders_show, NULL);
}

static const struct proc_ops orders_ops = {
	.proc_open = orders_file_open,
	.proc_read = seq_read,
	.proc_write = orders_write,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

int st_orders_open(void)
{
	st_begin(&orders, "orders");
	return proc_create("slabtest", 0600, NULL, &orders_ops) ? 0 : -ENOMEM;
}

void st_orders_close(void)
{
	remove_proc_entry("slabtest", NULL);
	st_storm_stop(&orders);
	order_give(0);
	order_mend(0);
	kmem_cache_destroy(brief);
	order_twins(0);
	stock_close(&held);
	stock_close(&charged);
	order_displace(0);
}
