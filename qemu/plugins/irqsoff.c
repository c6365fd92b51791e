// SPDX-License-Identifier: GPL-2.0
/*
 * How long a part of the kernel keeps interrupts disabled, counted in instructions by the emulator:
 * the guest does not know, so nothing is disturbed. With -icount shift=0 an instruction is a
 * nanosecond of the guest's time.
 *
 *   -plugin irqsoff.so,out=FILE,part=START:END,locks=START:END
 *
 * A stretch begins where the part executes CLI, and ends with the next STI. It counts if that is
 * the part's own, too: one that began with interrupts disabled ends elsewhere, and belongs to
 * whoever disabled them. CLI and STI in the functions of the spin locks are those of their caller.
 * One CPU; x86-64, whose kernel restores interrupts by STI and never by POPF.
 *
 * The interface is QEMU's, version 1; Debian ships no header of it. What is used is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { NO_REGISTERS };
enum { ADD_U64 };

typedef void translated(plugin_id id, struct qemu_plugin_tb *tb);
typedef void executed(unsigned int cpu, void *data);
typedef void ended(plugin_id id, void *data);

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, translated *call);
extern void qemu_plugin_register_atexit_cb(plugin_id id, ended *call, void *data);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, executed *call,
						   int registers, void *data);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op,
						       void *counter, uint64_t number);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
							size_t index);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

struct range {
	uint64_t start, end;
};

/* The longest from one CLI to one STI, and how many there were. */
struct stretch {
	uint64_t from, to, longest, count;
};

static struct range part, locks;
static FILE *out;
static struct stretch stretches[256];
static unsigned int known;
static uint64_t now;		/* instructions so far */
static uint64_t since, from;	/* the stretch that goes on */
static uint64_t locker;		/* who called into the locks */
static bool off, open;

static bool inside(const struct range *range, uint64_t address)
{
	return address >= range->start && address < range->end;
}

/* The instruction, or for one of the locks' the call that led there */
static uint64_t whose(void *data)
{
	uint64_t address = (uintptr_t)data;

	return inside(&locks, address) ? locker : address;
}

static void note(uint64_t to, uint64_t length)
{
	struct stretch *one = stretches;

	while (one < stretches + known && (one->from != from || one->to != to))
		one++;
	if (one == stretches + known) {
		if (known == sizeof(stretches) / sizeof(*stretches)) {
			fprintf(stderr, "irqsoff: more places than there is room for\n");
			abort();
		}
		known++;
		*one = (struct stretch){ .from = from, .to = to };
	}
	one->count++;
	if (length > one->longest)
		one->longest = length;
}

static void disabled(unsigned int cpu, void *data)
{
	uint64_t address = whose(data);

	(void)cpu;
	if (!off && inside(&part, address)) {
		open = true;
		from = address;
		since = now;
	}
	off = true;
}

static void enabled(unsigned int cpu, void *data)
{
	uint64_t address = whose(data);

	(void)cpu;
	if (open && inside(&part, address))
		note(address, now - since);
	open = false;
	off = false;
}

/* Back to where interrupts are enabled, as a rule; if not, no STI of the part's will follow. */
static void returned(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	open = false;
	off = false;
}

static void called(unsigned int cpu, void *data)
{
	(void)cpu;
	locker = (uintptr_t)data;
}

/* Where a CALL or JMP with a 32-bit distance leads. */
static uint64_t target(const uint8_t *code, uint64_t address)
{
	int32_t distance;

	memcpy(&distance, code + 1, sizeof(distance));
	return address + 5 + distance;
}

static executed *wanted(const uint8_t *code, size_t size, uint64_t address)
{
	if (size == 1 && code[0] == 0xfa)
		return disabled;
	if (size == 1 && code[0] == 0xfb)
		return enabled;
	if (size == 2 && code[0] == 0x48 && code[1] == 0xcf)
		return returned;
	if (size == 5 && (code[0] == 0xe8 || code[0] == 0xe9) && !inside(&locks, address) &&
	    inside(&locks, target(code, address)))
		return called;
	return NULL;
}

static void translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < count; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn);
		executed *call = wanted(qemu_plugin_insn_data(insn),
					qemu_plugin_insn_size(insn), address);

		if (call)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, call, NO_REGISTERS,
							       (void *)(uintptr_t)address);
		qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, &now, 1);
	}
}

static void finish(plugin_id id, void *data)
{
	(void)id;
	(void)data;
	for (unsigned int i = 0; i < known; i++)
		fprintf(out, "irqsoff %" PRIu64 " %" PRIu64 " %" PRIx64 " %" PRIx64 "\n",
			stretches[i].longest, stretches[i].count, stretches[i].from,
			stretches[i].to);
	fprintf(out, "instructions %" PRIu64 "\n", now);
	fclose(out);
}

static bool take_range(const char *text, struct range *range)
{
	return sscanf(text, "%" SCNx64 ":%" SCNx64, &range->start, &range->end) == 2;
}

static bool take(const char *word)
{
	if (!strncmp(word, "part=", 5))
		return take_range(word + 5, &part);
	if (!strncmp(word, "locks=", 6))
		return take_range(word + 6, &locks);
	if (!strncmp(word, "out=", 4))
		return (out = fopen(word + 4, "w")) != NULL;
	return false;
}

__attribute__((visibility("default"))) int
qemu_plugin_install(plugin_id id, const void *machine, int argc, char **argv)
{
	(void)machine;
	for (int i = 0; i < argc; i++) {
		if (!take(argv[i])) {
			fprintf(stderr, "irqsoff: cannot use %s\n", argv[i]);
			return 1;
		}
	}
	if (!out || !part.end) {
		fprintf(stderr, "irqsoff: out= and part= are needed\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
