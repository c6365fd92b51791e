// SPDX-License-Identifier: GPL-2.0
/*
 * Teams: one thread for each CPU of a mask, started together. A bound thread stays on its CPU
 * while that is online; the kernel moves it when the CPU goes.
 */
#define pr_fmt(fmt) fmt

#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#include "slabtest.h"

struct st_team {
	struct completion start;
	bool stop;
	st_work_fn *work;
	unsigned int count;
	struct st_worker workers[];
};

bool st_stopped(const struct st_worker *worker)
{
	return READ_ONCE(worker->team->stop);
}

static int team_thread(void *data)
{
	struct st_worker *worker = data;

	wait_for_completion(&worker->team->start);
	if (worker->team->work)
		worker->team->work(worker);
	complete(&worker->done);
	return 0;
}

static bool hire(struct st_team *team, unsigned int cpu, bool bound)
{
	struct st_worker *worker = &team->workers[team->count];

	worker->task = kthread_create_on_node(team_thread, worker, cpu_to_node(cpu), "slabtest/%u",
					      cpu);
	if (IS_ERR(worker->task))
		return false;
	/* It is looked at while it may end. */
	get_task_struct(worker->task);
	if (bound)
		kthread_bind(worker->task, cpu);
	team->count++;
	return true;
}

/* Bounded waits: a long case is no hung task. The thread may have been moved to another CPU. */
static void await(struct st_worker *worker)
{
	while (!wait_for_completion_timeout(&worker->done, HZ))
		st_awaits(worker->t, task_cpu(worker->task));
	put_task_struct(worker->task);
}

void st_team_wait(struct st_team *team)
{
	unsigned int i;

	for (i = 0; i < team->count; i++)
		await(&team->workers[i]);
	kfree(team);
}

void st_team_stop(struct st_team *team)
{
	WRITE_ONCE(team->stop, true);
	st_team_wait(team);
}

/* NULL, and a failed case, when a thread cannot be had. */
struct st_team *st_team_start(struct st *t, const struct cpumask *cpus, bool bound,
			      st_work_fn *work, void *data)
{
	unsigned int cpu, size = cpumask_weight(cpus);
	struct st_team *team = kzalloc(struct_size(team, workers, size), GFP_KERNEL);

	if (!st_check(t, team, "no memory for a team of %u", size))
		return NULL;
	team->work = work;
	init_completion(&team->start);
	for_each_cpu(cpu, cpus) {
		struct st_worker *worker = &team->workers[team->count];

		/* A CPU that came online meanwhile is left out. */
		if (team->count == size)
			break;
		*worker = (struct st_worker){
			.t = t,
			.cpu = cpu,
			.index = team->count,
			.count = size,
			.data = data,
			.team = team,
		};
		prandom_seed_state(&worker->rnd, t->seed + prandom_u32_state(&t->rnd));
		init_completion(&worker->done);
		if (!hire(team, cpu, bound)) {
			st_fail(t, "no thread for CPU %u", cpu);
			team->work = NULL;
			break;
		}
		wake_up_process(worker->task);
	}
	complete_all(&team->start);
	if (team->work)
		return team;
	st_team_wait(team);
	return NULL;
}

/* One thread on each online CPU; comes back when all are through. */
bool st_run_on_all(struct st *t, st_work_fn *work, void *data)
{
	struct st_team *team = st_team_start(t, cpu_online_mask, true, work, data);

	if (team)
		st_team_wait(team);
	return team;
}

bool st_run_on(struct st *t, unsigned int cpu, st_work_fn *work, void *data)
{
	struct st_team *team = st_team_start(t, cpumask_of(cpu), true, work, data);

	if (team)
		st_team_wait(team);
	return team;
}
