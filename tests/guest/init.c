// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the guest: mount, look, test, say so, power off.
 *
 * One KTAP stream goes to the console: the groups topology, slabtest (the module's) and user
 * (this program's). The last two lines, taint and done, tell the harness that nothing was cut
 * off.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

static const struct {
	const char *type;
	const char *where;
	bool needed;
} mounts[] = {
	{ "devtmpfs", "/dev", false },
	{ "proc", "/proc", true },
	{ "sysfs", "/sys", true },
	{ "tmpfs", "/tmp", false },
	{ "debugfs", "/sys/kernel/debug", false },
	{ "cgroup2", "/sys/fs/cgroup", false },
};

static void mount_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i].where, 0755);
		if (mount("none", mounts[i].where, mounts[i].type, 0, NULL) && mounts[i].needed)
			say("# cannot mount %s: %s", mounts[i].where, strerror(errno));
	}
}

/* Every line of ours is to reach the console, however the kernel was booted. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	for (int to = 0; fd >= 0 && to <= 2; to++)
		dup2(fd, to);
	if (fd > 2)
		close(fd);
	text_write("/proc/sys/kernel/printk_devkmsg", "on");
	klogctl(8, NULL, 8);
}

/* How often this kernel warned, on the console or not; since Linux 6.1.5. */
static const char warn_count[] = "/sys/kernel/warn_count";

/* Does not come back. */
static void power_off(void)
{
	bounds_tell();
	if (!access(warn_count, R_OK))
		say("slqb-guest: warnings %ld", text_number(warn_count));
	say("slqb-guest: taint %ld", text_number("/proc/sys/kernel/tainted"));
	say("slqb-guest: done");
	sync();
	reboot(RB_POWER_OFF);
	/* No machine that can be switched off: a reset ends QEMU as well. */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

struct plan {
	bool slabtest;
	bool user;
};

static struct plan plan_groups(const struct words *words)
{
	bool planted = words->plant[0] && strcmp(words->plant, "none");

	return (struct plan){
		.slabtest = planted || (suite_wants(words, "slabtest") &&
					glob_may_match(words->glob, "slabtest.")),
		.user = !planted && suite_wants(words, "user") && user_wanted(words),
	};
}

/* The user-space checks order the module about, so it is loaded for them too, idle if need be. */
static void run_user(const struct words *words, unsigned int number, bool loaded)
{
	struct words idle = *words;
	bool good;

	strcpy(idle.suite, "none");
	if (!loaded && module_load(&idle))
		say("# user: %s does not load, its checks are skipped", module_path);
	good = user_run(words);
	say("%s %u user", good ? "ok" : "not ok", number);
}

static void run_groups(const struct words *words)
{
	struct plan plan = plan_groups(words);
	unsigned int number = 1;
	bool loaded = false;

	say("KTAP version 1");
	say("1..%d", 1 + plan.slabtest + plan.user);
	say("# seed: %llu", words->seed);
	if (!topology_run(words)) {
		say("not ok 1 topology");
		say("Bail out! topology");
		return;
	}
	say("ok 1 topology");
	if (plan.slabtest) {
		slabtest_run(words, ++number, &loaded);
		if (!loaded)
			return;
	}
	if (plan.user)
		run_user(words, ++number, loaded);
}

int main(void)
{
	struct words words;

	mount_all();
	open_console();
	say("slqb-guest: init");
	say("slqb-guest: clock %.0f", seconds_now() * 1000);
	words_read(&words);
	bounds_read();
	say("slqb-guest: tests");
	if (!strcmp(words.plant, "initdies"))
		return 1;
	run_groups(&words);
	power_off();
}
