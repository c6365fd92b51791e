/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_SEQ_FILE_H
#define SHIM_SEQ_FILE_H

struct file;
struct seq_file;

#endif
