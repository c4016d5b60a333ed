; SPDX-License-Identifier: MIT
; The test kernel's other entries, which idt.c installs in place of trap_entry.asm's where
; planted_entry() says so: they make a mistake while the defect is on.
%include "entry/frame.inc"

        extern  defect_current
        extern  trap_common
        extern  segment_common
        extern  ist_common
        extern  ist_gs_ours
        extern  ist_gs_theirs
        extern  ist_to_task
        global  planted_nmi_entry
        global  planted_gp_entry

section .text
; ist_by_cs: the entry concludes from the saved CS whose GS is loaded. Between SYSCALL and SWAPGS
; that is wrong.
; nmi_does_work: an NMI from user mode goes on on the task's stack, and does the work that waits for
; a return to user mode, while the CPU takes no other NMI.
planted_nmi_entry:
        push    qword 0
        push    qword 2
        cmp     dword [rel defect_current], DEFECT_IST_BY_CS
        je      .by_cs
        cmp     dword [rel defect_current], DEFECT_NMI_DOES_WORK
        jne     ist_common
        test    byte [rsp + 24], 3
        jz      ist_common
        swapgs
        push_registers
        jmp     ist_to_task
.by_cs: test    byte [rsp + 24], 3
        push_registers
        mov     ebx, 0                  ; keeps the flags
        jz      ist_gs_ours
        jmp     ist_gs_theirs

; return_not_mended: a fault of the IRETQ to user mode is taken for any other of the kernel's, which
; runs on with the program's GS.
planted_gp_entry:
        push    qword 13
        cmp     dword [rel defect_current], DEFECT_RETURN_NOT_MENDED
        je      trap_common
        jmp     segment_common
