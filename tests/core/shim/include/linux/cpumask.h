/* SPDX-License-Identifier: GPL-2.0 */
/* CPUs and nodes: how many, which of them are there, and where the code runs */
#ifndef SHIM_CPUMASK_H
#define SHIM_CPUMASK_H

#include <linux/kernel.h>

#define CONFIG_NR_CPUS		NR_CPUS
#define nr_cpu_ids		(machine.nr_cpus)
#define nr_node_ids		(machine.nr_nodes)
#define cpu_online(c)		(machine.cpu[c].online)
#define for_each_possible_cpu(cpu)					\
	for ((cpu) = 0; (cpu) < nr_cpu_ids; (cpu)++)
#define for_each_online_cpu(cpu)					\
	for_each_possible_cpu(cpu)					\
		if (!cpu_online(cpu)) {} else
#define raw_smp_processor_id()	((unsigned int)this_fiber->cpu)
#define smp_processor_id()	firm_cpu(__func__)
#define cpu_to_node(c)		(machine.cpu[c].node)
#define numa_node_id()		cpu_to_node(raw_smp_processor_id())
#define numa_mem_id()		numa_node_id()

#define NUMA_NO_NODE		(-1)
#define LONGS_OF(bits)		DIV_ROUND_UP(bits, 64)

typedef struct {
	unsigned long bits[LONGS_OF(MAX_NUMNODES)];
} nodemask_t;

enum node_states {
	N_POSSIBLE,
	N_ONLINE,
	N_NORMAL_MEMORY,
	N_MEMORY = N_NORMAL_MEMORY,
	NR_NODE_STATES
};

extern nodemask_t node_states[NR_NODE_STATES];

#define node_isset(n, mask)	(!!((mask).bits[(n) / 64] & BIT((n) % 64)))
#define node_set(n, mask)	((void)((mask).bits[(n) / 64] |= BIT((n) % 64)))
#define node_clear(n, mask)	((void)((mask).bits[(n) / 64] &= ~BIT((n) % 64)))
#define node_state(n, state)	node_isset(n, node_states[state])
#define node_online(n)		node_state(n, N_ONLINE)
#define first_node(mask)	next_node_from(0, &(mask))
#define next_node(n, mask)	next_node_from((n) + 1, &(mask))
#define first_online_node	first_node(node_states[N_ONLINE])
#define for_each_node_mask(n, mask)					\
	for ((n) = first_node(mask); (n) < MAX_NUMNODES;		\
	     (n) = next_node(n, mask))
#define for_each_node_state(n, state)	for_each_node_mask(n, node_states[state])
#define for_each_node(n)	for_each_node_state(n, N_POSSIBLE)
#define for_each_online_node(n)	for_each_node_state(n, N_ONLINE)
#define node_distance(a, b)	machine_distance(a, b)

static inline int next_node_from(int n, const nodemask_t *mask)
{
	while (n < MAX_NUMNODES && !node_isset(n, *mask))
		n++;
	return n;
}

#endif
