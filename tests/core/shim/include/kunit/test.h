/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Not in this machine, which asks for no suite: <kunit/test.h>. Its being here is what a tree
 * is asked for, so that what is compiled is what that tree would get.
 */
#define kunit_test_suites(...)
