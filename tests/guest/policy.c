// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks that say where their memory is to come from, or are told: policies and cpusets.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

/* <linux/mempolicy.h> */
enum { POLICY_DEFAULT, POLICY_PREFERRED, POLICY_BIND, POLICY_INTERLEAVE };

/* The first CPU of a node with memory, that node, and the last other one with memory. */
struct route {
	int cpu;
	unsigned int here, there;
	unsigned long others;		/* with memory, as a mask */
};

static int first_cpu(unsigned int node)
{
	bool member[MAX_CPUS], online[MAX_CPUS];
	char path[96];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist", node);
	cpus_online(online);
	if (!list_read(path, member, MAX_CPUS))
		return -1;
	for (int cpu = 0; cpu < MAX_CPUS; cpu++)
		if (member[cpu] && online[cpu])
			return cpu;
	return -1;
}

static bool find_route(struct check *check, struct route *route)
{
	bool memory[MAX_NODES];
	unsigned int count = list_read("/sys/devices/system/node/has_memory", memory, MAX_NODES);

	*route = (struct route){ .cpu = -1 };
	for (unsigned int node = 0; node < 32 && route->cpu < 0; node++) {
		if (memory[node]) {
			route->cpu = first_cpu(node);
			route->here = route->there = node;
		}
	}
	for (unsigned int node = 0; node < 32; node++) {
		if (!memory[node])
			continue;
		if (node != route->here)
			route->there = node;
		route->others |= 1UL << node;
	}
	route->others &= ~(1UL << route->here | 1UL << route->there);
	if (!module_there() || allocator_is("SLOB"))
		check_skip(check, "SLOB shares pages of any node, or there is no module");
	else if (count < 2 || route->cpu < 0 || route->here == route->there)
		check_skip(check, "needs two nodes with memory");
	else
		return true;
	return false;
}

/* As many objects as fill so many pages. */
static unsigned long objects_of(unsigned int pages)
{
	return pages * (sysconf(_SC_PAGESIZE) / 256);
}

static void roamed_nodes(struct cache_number *number)
{
	char text[1024], line[1100];

	memset(number, 0, sizeof(*number));
	if (!module_word("roamed_nodes", text, sizeof(text)))
		return;
	snprintf(line, sizeof(line), "0 %s\n", text);
	cache_number_parse(line, number);
}

/* In 10 pages' worth of objects of a new cache each of these nodes has its part. */
static void expect_parts(struct check *check, const char *what, unsigned long nodes)
{
	unsigned long all = objects_of(10), least;
	struct cache_number number;

	roamed_nodes(&number);
	least = all / __builtin_popcountl(nodes) / 2;
	for (unsigned int node = 0; node < 32; node++) {
		bool wanted = nodes >> node & 1;

		if (wanted ? number.node[node] < least : number.node[node] > all / 10)
			check_fail(check, "%s: %lu of %lu objects on node %u", what,
				   number.node[node], all, node);
	}
}

static void with_policy(struct check *check, const char *what, int policy, unsigned long nodes)
{
	int error;

	module_order("displace");
	if (syscall(SYS_set_mempolicy, policy, &nodes, 8 * sizeof(nodes))) {
		check_fail(check, "%s: no such policy: %s", what, strerror(errno));
		return;
	}
	error = module_order("roam %lu", objects_of(10));
	syscall(SYS_set_mempolicy, POLICY_DEFAULT, NULL, 0);
	if (error)
		check_fail(check, "%s: no objects are to be had: %s", what, strerror(-error));
	else
		expect_parts(check, what, nodes);
}

/*
 * Guards: slabs that a task needs come from the nodes that its policy names: bound, preferred, and, a
 * promise of SLQB's, interleaved.
 */
void check_policy_obeyed(struct check *check)
{
	struct route route;

	if (!find_route(check, &route))
		return;
	move_to(route.cpu);
	with_policy(check, "bound to a node", POLICY_BIND, 1UL << route.there);
	with_policy(check, "another node preferred", POLICY_PREFERRED, 1UL << route.there);
	/* SLUB was seen to have all of ten pages on one node. */
	if (allocator_is("SLQB"))
		with_policy(check, "interleaved", POLICY_INTERLEAVE,
			    1UL << route.here | 1UL << route.there);
	with_policy(check, "bound to its own node", POLICY_BIND, 1UL << route.here);
	module_order("displace");
	move_to(-1);
}

static const char set[] = "/sys/fs/cgroup/slabtest_set";

static bool make_set(unsigned int node)
{
	char path[96], text[16];

	if (text_write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset") || mkdir(set, 0755))
		return false;
	snprintf(path, sizeof(path), "%s/cpuset.mems", set);
	snprintf(text, sizeof(text), "%u", node);
	return !text_write(path, text);
}

/* In the cpuset, on a CPU of another node: have the module allocate in our name. Ends with an errno. */
static int roam_in_set(const struct route *route, const char *how)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/cgroup.procs", set);
	move_to(route->cpu);
	return -(text_write(path, "0") ?: module_order("%s %lu", how, objects_of(10)));
}

static void in_set(struct check *check, const struct route *route, const char *how)
{
	pid_t child;
	int status;

	child = fork();
	if (!child)
		_exit(roam_in_set(route, how));
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		check_fail(check, "%s: no objects are to be had", how);
	else
		expect_parts(check, how, 1UL << route->there);
}

/*
 * Guards: the objects of a task lie on the nodes of its cpuset while those have memory, and if it
 * insists also where free objects are at hand elsewhere. SLAB takes slabs of the CPU's own node where
 * the task does not insist.
 */
void check_cpuset_obeyed(struct check *check)
{
	struct route route;

	if (!find_route(check, &route))
		return;
	if (!make_set(route.there)) {
		rmdir(set);
		check_skip(check, "this kernel has no cpusets");
		return;
	}
	module_order("displace");
	if (!allocator_is("SLAB"))
		in_set(check, &route, "roam");
	module_order("displace");
	/* Objects that lie free on nodes that are not in the set. */
	move_to(route.cpu);
	if (module_order("strew %lu", route.others))
		check_fail(check, "objects are not to be had");
	move_to(-1);
	in_set(check, &route, "roam_hard");
	module_order("displace");
	rmdir(set);
}
