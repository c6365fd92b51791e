/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Does an accelerator run kernels? A payload of the same format as our kernels (an ELF file
 * entered by PVH, in 32-bit protected mode) that does what hosts have been seen to get wrong, and
 * says on the serial port how far it came:
 *
 *   a   entered
 *   b   page tables built, long mode reached
 *   c   cmpxchg16b on ordinary memory (an allocator's fast path)
 *   d   cmpxchg16b on a page that is in use as a page table, so that a host with shadow page
 *       tables must emulate it
 *   e   32 MiB written in one string instruction
 *   ok  all of it
 *
 * It ends by a triple fault, at which QEMU with -no-reboot leaves.
 */
#define SERIAL		0x3f8
#define STRIDE		0x200000	/* what one entry of the page directory maps */
#define CR0_PG_PE	0x80000001
#define CR4_PAE		0x20
#define MSR_EFER	0xc0000080
#define EFER_LME	0x100
#define PTE_TABLE	0x3		/* present, writable */
#define PTE_LARGE	0x83
#define CODE		8
#define DATA		16

	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 8, 18		/* sizes of name and value; the physical 32-bit entry */
	.asciz	"Xen"
	.quad	_start

	.macro say letter
	movw	$SERIAL, %dx
	movb	$\letter, %al
	outb	%al, %dx
	.endm

	.text
	.code32
	.globl	_start
_start:
	cli
	cld
	movl	$stack, %esp
	say	'a'

	movl	$middle + PTE_TABLE, top
	movl	$directory + PTE_TABLE, middle
	movl	$directory, %edi
	movl	$PTE_LARGE, %eax
	movl	$512, %ecx
map:
	movl	%eax, (%edi)
	addl	$STRIDE, %eax
	addl	$8, %edi
	loop	map

	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$top, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PG_PE, %eax
	movl	%eax, %cr0
	lgdt	gdt_register
	ljmp	$CODE, $long_mode

	.code64
long_mode:
	movw	$DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	say	'b'

	leaq	pair(%rip), %rsi
	call	exchange
	say	'c'

	leaq	directory + 64 * 16(%rip), %rsi
	call	exchange
	say	'd'

	movl	$8 * STRIDE, %edi
	movl	$16 * STRIDE / 8, %ecx
	xorl	%eax, %eax
	rep stosq
	say	'e'

	say	'o'
	say	'k'
	say	'\n'
	lidt	no_idt(%rip)
	int3

/* Replace the 16 bytes at rsi by themselves; stay here for ever if they seem to differ. */
exchange:
	movq	(%rsi), %rax
	movq	8(%rsi), %rdx
	movq	%rax, %rbx
	movq	%rdx, %rcx
	lock cmpxchg16b (%rsi)
	jnz	.
	ret

	.balign	16
pair:	.quad	1, 2
gdt:	.quad	0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_register:
	.word	. - gdt - 1
	.long	gdt
no_idt:	.word	0
	.quad	0

	.bss
	.balign	4096
top:	.skip	4096
middle:	.skip	4096
directory:
	.skip	4096
	.skip	4096
stack:
	.section .note.GNU-stack, "", @progbits
