// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's own sample of a module that leaks, unchanged, in a module of ours: kmemleak is no
 * module, and the sample can be nothing else.
 */
#include <samples/kmemleak/kmemleak-test.c>

MODULE_DESCRIPTION("samples/kmemleak of the tree under test");
