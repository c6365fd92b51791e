// SPDX-License-Identifier: GPL-2.0
/*
 * One command a line, one answer a line: `ok ...`, or the process ends with a report.
 *
 * boot SEED CPUS NODES MEMORYLESS...      a new machine; CPU n is on node n % NODES
 * chaos N                                 1 in N chances is taken by somebody else; 0 is none
 * create SLOT SIZE ALIGN FLAGS CTOR       ok OBJECTS ORDER HIWATER FREEBATCH
 * destroy SLOT | shrink SLOT | trim | check | end
 * alloc CPU SLOT NODE FLAGS               ok STAMP NODE, or ok none; NODE -1 is any, FLAGS t
 *                                         for that node only, z for zeroes, - for nothing
 * bulk CPU SLOT NR                        ok STAMP...
 * free CPU STAMP...                       as one bulk if there are several
 * policy MASK                             memory from these nodes; 0: from where the task runs
 * down CPU | up CPU | offline NODE | online NODE      ok 1 if that was possible
 * info SLOT                               ok IN-USE OBJECTS SLABS
 * fork COMMAND                            an alloc, bulk, free, shrink or info, kept for
 * join                                    which runs all of them at once: ok ANSWER;...
 */
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <stdio.h>
#include <stdlib.h>

#include "internal.h"
#include "slab.h"

#define MOST_WORDS	260
#define MOST_FORKS	4
#define LINE_BYTES	8192

struct call {
	char line[LINE_BYTES];
	char answer[LINE_BYTES];
};

static struct call forks[MOST_FORKS];
static unsigned int nr_forks, running;

static unsigned int index_of(uint32_t stamp)
{
	for (unsigned int i = 0; i < world.nr_held; i++) {
		if (world.held[i].stamp == stamp)
			return i;
	}
	fail("shim: nobody has object %u", stamp);
}

static unsigned int gfp_of(const char *word)
{
	unsigned int gfp = machine.chaos ? GFP_NOWAIT : GFP_KERNEL;

	if (strchr(word, 't'))
		gfp |= __GFP_THISNODE;
	if (strchr(word, 'z'))
		gfp |= __GFP_ZERO;
	return gfp | __GFP_NOWARN;
}

static int add_object(char *answer, int at, int index)
{
	const struct held *h = &world.held[index];

	return at + snprintf(answer + at, LINE_BYTES - at, " %u:%d", h->stamp,
			     page_to_nid(virt_to_page(h->object)));
}

static void do_alloc(char **words, char *answer)
{
	int index = world_alloc(atoi(words[2]), gfp_of(words[4]), atoi(words[3]));

	if (index < 0)
		strcpy(answer, " none");
	else
		add_object(answer, 0, index);
}

static void do_bulk(char **words, char *answer)
{
	int at = 0, got = world_alloc_bulk(atoi(words[2]), gfp_of("-"), atoi(words[3]));

	for (int i = got; i > 0; i--)
		at = add_object(answer, at, world.nr_held - i);
}

static int by_index(const void *a, const void *b)
{
	return *(const int *)b - *(const int *)a;
}

static void do_free(char **words, unsigned int nr)
{
	unsigned int indexes[MOST_WORDS] = { 0 };
	int slot;

	for (unsigned int i = 2; i < nr; i++)
		indexes[i - 2] = index_of(atoi(words[i]));
	if (nr == 3) {
		world_free(indexes[0]);
		return;
	}
	slot = world.held[indexes[0]].cache;
	for (unsigned int i = 2; i < nr; i++) {
		if (world.held[indexes[i - 2]].cache != slot)
			slot = -1;
	}
	qsort(indexes, nr - 2, sizeof(indexes[0]), by_index);
	world_free_bulk(slot, indexes, nr - 2);
}

static unsigned int split(char *line, char **words)
{
	unsigned int nr = 0;

	for (char *save, *word = strtok_r(line, " \n", &save); word && nr < MOST_WORDS;
	     word = strtok_r(NULL, " \n", &save))
		words[nr++] = word;
	return nr;
}

/* What a task does on a CPU */
static bool on_cpu(char **words, unsigned int nr, char *answer)
{
	answer[0] = '\0';
	if (nr < 3)
		return false;
	migrate_to(atoi(words[1]));
	if (!strcmp(words[0], "alloc") && nr == 5)
		do_alloc(words, answer);
	else if (!strcmp(words[0], "bulk") && nr == 4)
		do_bulk(words, answer);
	else if (!strcmp(words[0], "free"))
		do_free(words, nr);
	else
		return false;
	return true;
}

static void do_boot(char **words, unsigned int nr)
{
	struct topology t = {
		.nr_cpus = atoi(words[2]), .nr_nodes = atoi(words[3]),
	};

	for (unsigned int cpu = 0; cpu < t.nr_cpus; cpu++)
		t.node_of_cpu[cpu] = cpu % t.nr_nodes;
	for (unsigned int i = 4; i < nr; i++)
		t.memoryless[atoi(words[i])] = true;
	nr_forks = 0;
	repeat_with("the commands that were given");
	world_boot(strtoull(words[1], NULL, 0), &t);
	this_fiber->pinned = true;
}

static void do_create(char **words, char *answer)
{
	static const unsigned int flags[] = {
		0, SLAB_TYPESAFE_BY_RCU, SLAB_HWCACHE_ALIGN, SLAB_ACCOUNT,
		SLAB_RECLAIM_ACCOUNT,
	};
	int slot = atoi(words[1]);
	struct kmem_cache *s;

	if (!world_create(slot, atoi(words[2]), atoi(words[3]), flags[atoi(words[4])],
			  atoi(words[5])))
		fail("a cache cannot be created");
	s = world.slots[slot].s;
	snprintf(answer, LINE_BYTES, " %u %u %u %u", s->objects, s->order, s->hiwater,
		 s->freebatch);
}

static void do_info(int slot, char *answer)
{
	struct slabinfo info;

	get_slabinfo(world.slots[slot].s, &info);
	snprintf(answer, LINE_BYTES, " %lu %lu %lu", info.active_objs, info.num_objs,
		 info.num_slabs);
}

static bool on_cache(char **words, unsigned int nr, char *answer)
{
	const char *verb = words[0];

	if (!strcmp(verb, "create") && nr == 6)
		do_create(words, answer);
	else if (nr != 2)
		return false;
	else if (!strcmp(verb, "info"))
		do_info(atoi(words[1]), answer);
	else if (!strcmp(verb, "shrink"))
		snprintf(answer, LINE_BYTES, " %d",
			 kmem_cache_shrink(world.slots[atoi(words[1])].s));
	else if (!strcmp(verb, "destroy"))
		snprintf(answer, LINE_BYTES, " %d", world_destroy(atoi(words[1])));
	else
		return false;
	return true;
}

static void forked(void *call)
{
	char *words[MOST_WORDS];
	struct call *c = call;
	unsigned int nr = split(c->line, words);

	if (!on_cpu(words, nr, c->answer) && !on_cache(words, nr, c->answer))
		fail("shim: a fork of something else than a deed of a task");
	running--;
}

static bool all_joined(void *nothing)
{
	(void)nothing;
	return !running;
}

static void join(char *answer)
{
	int at = 0;

	running = nr_forks;
	for (unsigned int i = 0; i < nr_forks; i++)
		fiber_start("fork", 0, forked, &forks[i])->pinned = true;
	wait_until(all_joined, NULL, "the forks");
	for (unsigned int i = 0; i < nr_forks; i++)
		at += snprintf(answer + at, LINE_BYTES - at, "%s;", forks[i].answer);
	nr_forks = 0;
}

/* The memory of this task comes from the nodes of a mask; 0: from where it runs. */
static void set_policy(unsigned long mask)
{
	static struct mempolicy policy;

	policy = (struct mempolicy){ .last = -1 };
	for (int node = 0; node < machine.nr_nodes; node++) {
		if (mask >> node & 1)
			node_set(node, policy.nodes);
	}
	this_fiber->mempolicy = mask ? &policy : NULL;
}

static bool on_machine(char **words, unsigned int nr, char *answer)
{
	const char *verb = words[0];
	int what = nr > 1 ? atoi(words[1]) : 0;
	int done = 1;

	if (!strcmp(verb, "trim") && nr == 1)
		world_trim();
	else if (!strcmp(verb, "check") && nr == 1)
		world_check();
	else if (!strcmp(verb, "end") && nr == 1)
		world_end();
	else if (nr != 2)
		return false;
	else if (!strcmp(verb, "policy"))
		set_policy(what);
	else if (!strcmp(verb, "chaos"))
		machine.chaos = what;
	else if (!strcmp(verb, "down"))
		done = cpu_down(what);
	else if (!strcmp(verb, "up"))
		cpu_up(what);
	else if (!strcmp(verb, "offline"))
		done = node_offline(what);
	else if (!strcmp(verb, "online"))
		done = node_come_online(what);
	else
		return false;
	if (nr == 2)
		snprintf(answer, LINE_BYTES, " %d", done);
	return true;
}

static bool obey(char *line, char *answer)
{
	char *words[MOST_WORDS];
	unsigned int nr;

	answer[0] = '\0';
	if (!strncmp(line, "fork ", 5)) {
		if (nr_forks < MOST_FORKS)
			strcpy(forks[nr_forks++].line, line + 5);
		return true;
	}
	nr = split(line, words);
	if (nr >= 4 && !strcmp(words[0], "boot")) {
		do_boot(words, nr);
		return true;
	}
	if (nr == 1 && !strcmp(words[0], "join")) {
		join(answer);
		return true;
	}
	return nr && (on_machine(words, nr, answer) || on_cache(words, nr, answer) ||
		      on_cpu(words, nr, answer));
}

int talk(void)
{
	static char line[LINE_BYTES], said[LINE_BYTES], answer[LINE_BYTES];

	while (fgets(line, sizeof(line), stdin)) {
		strcpy(said, line);
		if (!obey(line, answer)) {
			fprintf(stderr, "core: no such command: %s", said);
			return 2;
		}
		printf("ok%s\n", answer);
		fflush(stdout);
	}
	return 0;
}
