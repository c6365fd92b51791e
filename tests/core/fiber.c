// SPDX-License-Identifier: GPL-2.0
/* Fibers, and which of them goes on */
#include <linux/kernel.h>

#include <stdlib.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifndef __x86_64__
#include <ucontext.h>
#endif

#define STACK_BYTES	(128UL << 10)

struct machine machine;
struct fiber *this_fiber;

static struct fiber pool[MOST_FIBERS];
static const void *main_stack __maybe_unused;
static size_t main_stack_bytes __maybe_unused;
static struct fiber *switched_from;

/* xorshift64*: good enough to choose with, and the same everywhere */
uint64_t chance(void)
{
	uint64_t x = machine.random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	machine.random = x;
	return (x * 0x2545F4914F6CDD1DULL) >> 16;
}

unsigned int one_of(unsigned int many)
{
	return chance() % many;
}

#ifdef __x86_64__
/* Callee-saved registers stay on the stack that is left. */
void swap_stacks(void **left, void *entered);
__asm__(".text\n"
	".globl swap_stacks\n"
	".type swap_stacks, @function\n"
	"swap_stacks:\n"
	"	push %rbp\n	push %rbx\n	push %r12\n"
	"	push %r13\n	push %r14\n	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n"
	"	pop %r12\n	pop %rbx\n	pop %rbp\n"
	"	ret\n"
	".size swap_stacks, . - swap_stacks\n");

static void prepare_stack(struct fiber *f, void (*entry)(void))
{
	void **top = (void **)(f->stack + STACK_BYTES);

	/* Aligned as if somebody had called */
	*--top = NULL;
	*--top = (void *)entry;
	for (int i = 0; i < 6; i++)
		*--top = NULL;
	f->stack_pointer = top;
}

static void swap_contexts(struct fiber *left, struct fiber *entered)
{
	swap_stacks(&left->stack_pointer, entered->stack_pointer);
}
#else
static ucontext_t contexts[MOST_FIBERS + 1];

static void prepare_stack(struct fiber *f, void (*entry)(void))
{
	ucontext_t *context = &contexts[f->number];

	getcontext(context);
	context->uc_stack.ss_sp = f->stack;
	context->uc_stack.ss_size = STACK_BYTES;
	makecontext(context, entry, 0);
}

static void swap_contexts(struct fiber *left, struct fiber *entered)
{
	swapcontext(&contexts[left->number], &contexts[entered->number]);
}
#endif

static void arrived(void)
{
#ifdef __SANITIZE_ADDRESS__
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(this_fiber->fake_stack, &bottom, &size);
	if (switched_from == &machine.main) {
		main_stack = bottom;
		main_stack_bytes = size;
	}
#endif
}

static void switch_to(struct fiber *next)
{
	struct fiber *left = this_fiber;

	if (next == left)
		return;
	machine.switches++;
	switched_from = left;
	this_fiber = next;
#ifdef __SANITIZE_ADDRESS__
	if (next == &machine.main)
		__sanitizer_start_switch_fiber(&left->fake_stack, main_stack,
					       main_stack_bytes);
	else
		__sanitizer_start_switch_fiber(&left->fake_stack, next->stack,
					       STACK_BYTES);
#endif
	swap_contexts(left, next);
	arrived();
}

static bool never(void *nothing)
{
	return nothing != NULL;
}

static void fiber_entry(void)
{
	arrived();
	this_fiber->run(this_fiber->argument);
	if (this_fiber->nr_held || this_fiber->irqs_off ||
	    this_fiber->preempt_off || this_fiber->reading)
		fail("%s ends with a lock held, or in a section", this_fiber->name);
	this_fiber->done = true;
	wait_until(never, NULL, "nothing");
	fail("%s goes on after its end", this_fiber->name);
}

struct fiber *fiber_start(const char *name, int cpu, void (*run)(void *),
			  void *argument)
{
	struct fiber *f;
	int number;

	for (number = 1; number < machine.nr_fibers; number++) {
		if (machine.fibers[number]->done)
			break;
	}
	if (number >= MOST_FIBERS)
		fail("too many fibers");
	if (number == machine.nr_fibers)
		machine.nr_fibers++;
	f = &pool[number];
	char *stack = f->stack;

	if (!stack) {
		stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (stack == MAP_FAILED)
			fail("no memory for a stack");
	}
#ifdef __SANITIZE_ADDRESS__
	__asan_unpoison_memory_region(stack, STACK_BYTES);
#endif
	*f = (struct fiber) {
		.stack = stack, .name = name, .run = run, .argument = argument,
		.number = number, .cpu = cpu,
	};
	machine.fibers[number] = f;
	prepare_stack(f, fiber_entry);
	return f;
}

void fibers_reset(void)
{
	machine.main = (struct fiber) { .name = "main" };
	machine.fibers[0] = &machine.main;
	machine.nr_fibers = 1;
	this_fiber = &machine.main;
}

bool cpu_takes_interrupts(unsigned int cpu)
{
	if (!machine.cpu[cpu].online)
		return false;
	for (int i = 0; i < machine.nr_fibers; i++) {
		struct fiber *f = machine.fibers[i];

		if (f->cpu == (int)cpu && f->irqs_off && !f->done)
			return false;
	}
	return true;
}

/* Who has a CPU to itself: one in an interrupt before one that must not be preempted */
static void find_blockers(void)
{
	machine.choices++;
	for (int i = 0; i < machine.nr_fibers; i++) {
		struct fiber *f = machine.fibers[i];
		struct cpu *cpu;

		if (f->done || f->cpu < 0 || !(f->irqs_off || f->preempt_off))
			continue;
		cpu = &machine.cpu[f->cpu];
		if (cpu->choice == machine.choices && cpu->blocker->is_interrupt)
			continue;
		if (cpu->choice == machine.choices && !f->is_interrupt)
			fail("shim: %s and %s both have CPU %d to themselves",
			     f->name, cpu->blocker->name, f->cpu);
		cpu->choice = machine.choices;
		cpu->blocker = f;
	}
}

static bool runnable(struct fiber *f)
{
	if (f->done)
		return false;
	if (f->cpu >= 0) {
		struct cpu *cpu = &machine.cpu[f->cpu];

		if (cpu->choice == machine.choices && cpu->blocker != f)
			return false;
	}
	return !f->ready || f->ready(f->what);
}

static struct fiber *choose(void)
{
	struct fiber *found[MOST_FIBERS];
	unsigned int nr = 0;

	find_blockers();
	for (int i = 0; i < machine.nr_fibers; i++) {
		if (runnable(machine.fibers[i]))
			found[nr++] = machine.fibers[i];
	}
	return nr ? found[one_of(nr)] : NULL;
}

void fibers_describe(void)
{
	for (int i = 0; i < machine.nr_fibers; i++) {
		struct fiber *f = machine.fibers[i];

		if (f->done)
			continue;
		machine_print("  %s on CPU %d%s%s%s%s%s%s", f->name, f->cpu,
			      f == this_fiber ? " (running)" : "",
			      f->irqs_off ? " irqs off" : "",
			      f->preempt_off ? " preemption off" : "",
			      f->reading ? " in RCU" : "",
			      f->ready ? " waits for " : "", f->ready ? f->why : "");
		for (int h = 0; h < f->nr_held; h++)
			machine_print("    holds %s", f->held[h]->name);
	}
}

static void go_on(void)
{
	struct fiber *next;
	unsigned long when;

	if (++machine.steps > machine.limit)
		fail("this takes for ever");
	while (!(next = choose())) {
		if (!next_timer(&when))
			fail("deadlock: nobody can go on");
		time_passes(when - machine.now);
	}
	switch_to(next);
	next->ready = NULL;
}

void wait_until(bool (*ready)(void *), void *what, const char *why)
{
	struct fiber *me = this_fiber;

	do {
		me->ready = ready;
		me->what = what;
		me->why = why;
		go_on();
	} while (ready && !ready(what));
}

unsigned int any_online_cpu(void)
{
	unsigned int cpu;

	do {
		cpu = one_of(machine.nr_cpus);
	} while (!machine.cpu[cpu].online);
	return cpu;
}

static bool preemptible(const struct fiber *f)
{
	return !f->irqs_off && !f->preempt_off;
}

bool all_preemptible(void *nothing)
{
	(void)nothing;
	for (int i = 0; i < machine.nr_fibers; i++) {
		struct fiber *f = machine.fibers[i];

		if (!f->done && !preemptible(f))
			return false;
	}
	return true;
}

void machine_breathe(void)
{
	struct fiber *me = this_fiber;

	if (!machine.chaos)
		return;
	if (++machine.steps > machine.limit)
		fail("this takes for ever");
	if (one_of(machine.chaos))
		return;
	if (!one_of(16) && !machine.settling)
		time_passes(one_of(4));
	if (preemptible(me) && !me->pinned && me->cpu >= 0 && !one_of(4))
		me->cpu = any_online_cpu();
	wait_until(NULL, NULL, "its turn");
}

void machine_resched(void)
{
	assert_may_sleep("cond_resched");
	machine_breathe();
}

/* Only what can be preempted moves; the kernel would have a thread of that CPU do it */
void migrate_to(unsigned int cpu)
{
	if (!preemptible(this_fiber))
		fail("shim: a fiber moves that cannot be preempted");
	if (!machine.cpu[cpu].online)
		fail("shim: a fiber moves to CPU %u, which is offline", cpu);
	if (this_fiber->cpu == (int)cpu)
		return;
	this_fiber->cpu = cpu;
	wait_until(NULL, NULL, "its turn");
}

unsigned int firm_cpu(const char *who)
{
	if (preemptible(this_fiber) && !this_fiber->pinned)
		fail("%s asks for the CPU it runs on, and can be preempted", who);
	return this_fiber->cpu;
}
