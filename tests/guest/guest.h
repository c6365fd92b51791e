/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's PID 1 and its checks: what the files share.
 *
 * init.c      the order of things, from mounts to power off
 * words.c     the slqbtest.* words of the kernel's command line
 * report.c    lines on the console, KTAP groups and cases
 * text.c      small files of /proc and /sys, read and written
 * topology.c  the machine asked for against the machine found
 * module.c    slabtest.ko and the commands it takes
 * user.c      the table of user-space checks
 * the rest    one noun each: the checks
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* words.c: what the harness asked for */
struct words {
	unsigned long long seed;
	unsigned int trim_ms;
	bool soak;
	bool brief;
	unsigned int share, shares;	/* this boot's part of what others take as well */
	char suite[64];
	char glob[128];
	char plant[32];
	char topology[512];
	unsigned int spare_cpus;
	unsigned int spare_dimms;
	long spare_mib[8];
};

void words_read(struct words *words);
bool glob_match(const char *glob, const char *name);
bool glob_may_match(const char *glob, const char *prefix);
bool suite_wants(const struct words *words, const char *group);

/* report.c: the console */
struct check {
	const char *group;
	const char *name;
	const struct words *words;
	unsigned int failures;
	double spoken;			/* when it was last said that it goes on */
	char skip[160];
};

struct check_case {
	const char *name;
	void (*run)(struct check *check);
	bool shaped;			/* what it sees depends on the nodes: it runs on each shape */
};

#define SHAPED true
#define ANY_SHAPE false

__printf(1, 2) void say(const char *format, ...);
__printf(2, 3) void check_fail(struct check *check, const char *format, ...);
__printf(2, 3) void check_note(struct check *check, const char *format, ...);
void check_alive(struct check *check, unsigned long done);
__printf(2, 3) void check_skip(struct check *check, const char *format, ...);
unsigned int cases_wanted(const struct words *words, const char *group,
			  const struct check_case *cases, size_t count);
bool cases_run(const struct words *words, const char *group,
	       const struct check_case *cases, size_t count);

/* text.c: small files */
long text_read(const char *path, char *buffer, size_t size);
char *text_read_all(const char *path);
int text_write(const char *path, const char *value);
long text_number(const char *path);
bool cmdline_has(const char *word);
bool cmdline_names(const char *name);
long meminfo_kib(const char *path, const char *field);
unsigned int list_parse(const char *list, bool *member, unsigned int size);
unsigned int list_read(const char *path, bool *member, unsigned int size);
double seconds_now(void);
void sleep_ms(unsigned int ms);

/* topology.c */
#define MAX_NODES 64
#define MAX_CPUS 1024
unsigned int cpus_online(bool *member);
bool topology_run(const struct words *words);

/* module.c */
extern const char * const module_path;
int module_load(const struct words *words);
__printf(1, 2) int module_order(const char *format, ...);
long module_state(const char *key);
bool module_word(const char *key, char *value, size_t size);
bool module_there(void);
bool allocator_is(const char *name);
bool slabtest_run(const struct words *words, unsigned int number, bool *loaded);

/* slabinfo.c */
struct slab_line {
	char name[64];
	unsigned long active, objects, size, per_slab, pages;
	unsigned long limit, batch, shared;
	unsigned long active_slabs, slabs, available;
};

long slabinfo_read(struct slab_line **lines);
bool slabinfo_find(const char *name, struct slab_line *line);
void check_slabinfo_format(struct check *check);
void check_slabinfo_sum(struct check *check);
void check_slabinfo_held(struct check *check);
void check_slabinfo_exact(struct check *check);
void check_slabinfo_order(struct check *check);

/* counters.c, sysfs.c, trim.c, hotplug.c, memory.c, pressure.c, memcg.c, failslab.c, churn.c */
void check_node_counters(struct check *check);
void check_memory_returns(struct check *check);
void check_sysfs_slab(struct check *check);
void cpus_visit(void);
bool slqb_promises(struct check *check);
bool trim_promised(struct check *check);
unsigned int trim_patience_ms(const struct check *check);
void trim_wait(struct check *check);
void trim_hurry(bool hurry);
void check_trim_returns(struct check *check);
void check_trim_period(struct check *check);
void check_trim_sleeps(struct check *check);
void check_trim_isolated(struct check *check);
void check_queue_bound(struct check *check);
int cpu_set(unsigned int cpu, bool online);
void check_offline_drains(struct check *check);
void check_offline_trim(struct check *check);
void check_offline_load(struct check *check);
void check_offline_frees(struct check *check);
void memory_all_online(struct check *check);
void nodes_used(struct check *check);
void check_memory_offline(struct check *check);
void check_memory_home(struct check *check);
void check_plug_cpu(struct check *check);
void check_plug_memory(struct check *check);
void check_oom(struct check *check);
void check_memcg_charge(struct check *check);
void check_memcg_bulk(struct check *check);
void check_failslab(struct check *check);
void check_failslab_filter(struct check *check);
void check_churn(struct check *check);

/* cachefile.c: /sys/kernel/slab */
struct cache_number {
	unsigned long total, sum;
	unsigned int entries;
	unsigned long node[MAX_NODES], cpu[MAX_CPUS];
};

extern const char held_cache[];
void cache_path(char *path, size_t size, const char *cache, const char *file);
bool cache_number_parse(const char *text, struct cache_number *number);
int cache_number_read(const char *cache, const char *file, struct cache_number *number);
long cache_value(const char *cache, const char *file);
bool cache_is_watched(const char *cache);
int cache_set(const char *cache, const char *file, const char *value);
bool cache_files_promised(struct check *check);
bool counters_promised(struct check *check);
bool move_to(int cpu);
bool hold_from_all(struct check *check, unsigned int each);
void held_nodes(struct cache_number *number);
bool nodes_are_told(void);

/* bounds.c: what the allocator costs */
void bounds_read(void);
void bounds_tell(void);
void check_slabinfo_bytes(struct check *check);

/* marks.c, stats.c, slqbinfo.c */
void put_marks(long hiwater, long freebatch);
void check_sysfs_marks(struct check *check);
void check_sysfs_freebatch(struct check *check);
void check_sysfs_shrink(struct check *check);
void check_sysfs_validate(struct check *check);
void check_sysfs_lifecycle(struct check *check);
void check_sysfs_alias(struct check *check);
void check_sysfs_attributes(struct check *check);
void check_stats_identities(struct check *check);
void check_stats_format(struct check *check);
void check_slqbinfo_totals(struct check *check);
void check_slqbinfo_report(struct check *check);
void check_slqbinfo_activity(struct check *check);
void check_slqbinfo_options(struct check *check);

/* klog.c: the kernel's log */
int klog_whole(void);
int klog_from_here(void);
bool klog_next(int log, char *text, size_t size);
bool klog_find(int log, const char *part, char *text, size_t size);

/* provoke.c, kmemleak.c, trace.c, merge.c, unreclaimable.c, selftest.c */
void check_usercopy_size(struct check *check);
void check_usercopy_window(struct check *check);
void check_free_wrong(struct check *check);
void check_cleared(struct check *check);
void check_meminit(struct check *check);
void check_kmemleak(struct check *check);
void check_tracepoints(struct check *check);
void check_merge(struct check *check);
void check_unreclaimable(struct check *check);
void check_memcg_selftest(struct check *check);

/* census.c: all that there is; policy.c: where tasks want it */
void check_kernel_returns(struct check *check);
void check_cycle_leaves(struct check *check);
void check_policy_obeyed(struct check *check);
void check_cpuset_obeyed(struct check *check);

/* users.c: who has the objects */
bool users_shown(const char *cache);
void check_alloc_traces(struct check *check);

/* busy.c: a distribution's programs */
void check_busy(struct check *check);

/* user.c */
unsigned int user_wanted(const struct words *words);
bool user_run(const struct words *words);

#endif
