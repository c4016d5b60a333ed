; SPDX-License-Identifier: MIT
; Exception and interrupt entry. Every vector ends in one frame, struct trap_frame, and one C
; function, x86_trap(). A task with a shadow stack has had its SSP put in IA32_PL3_SSP by the CPU;
; IRETQ to ring 3 takes it from there.
%include "entry/frame.inc"

        extern  x86_trap
        extern  x86_user_work
        extern  entry_task_begin
        extern  x86_return_refused
        global  trap_vectors
        global  trap_return
        global  task_begin
        global  trap_common
        global  trap_registers
        global  segment_common
        global  ist_common
        global  ist_gs_ours
        global  ist_gs_theirs
        global  ist_to_task

section .text
; trap_entry VECTOR, HAS_CODE, COMMON. The CPU pushes an error code for some vectors only; push a
; zero for the others.
%macro trap_entry 3
        align   16
trap_entry_%1:
%if %2 == 0
        push    qword 0
%endif
        push    qword %1
        jmp     %3
%endmacro

%assign vector 0
%rep 256
%if vector == 1 || vector == 2 || vector == 18
        trap_entry vector, 0, ist_common
%elif vector == 8
        trap_entry vector, 1, ist_common
%elif vector >= 11 && vector <= 13
        trap_entry vector, 1, segment_common
%elif vector == 10 || vector == 14 || vector == 17 || vector == 21 || vector == 29 || vector == 30
        trap_entry vector, 1, trap_common
%else
        trap_entry vector, 0, trap_common
%endif
%assign vector vector + 1
%endrep

; #NP, #SS and #GP. One of them strikes in ring 0 although the program's GS is loaded: when IRETQ
; refuses to return to user mode.
segment_common:
        cmp     qword [rsp + 16], trap_return.iretq
        jne     trap_common
        swapgs
        jmp     trap_registers

; From vectors that use the interrupted stack or the task's kernel stack. Whose GS is loaded follows
; from the saved CS.
trap_common:
        test    byte [rsp + 24], 3
        jz      trap_registers
        swapgs
trap_registers:
        push_registers
trap_body:
        cld
        smap_site SMAP_CLAC
        mov     rdi, rsp
        call    x86_trap

; Leave by the frame at RSP. Interrupts may be on. To user mode only once no work is left, tested
; with them off.
trap_return:
        test    byte [rsp + TF_CS], 3
        jz      .kernel
.again: cli
        cmp     dword [gs:CPU_USER_WORK], 0
        jne     .work
        swapgs
        pop_registers
        add     rsp, 16                 ; vector, error
.iretq:
        iretq
.kernel:
        pop_registers
        add     rsp, 16
        iretq
.work:  mov     rdi, rsp
        call    x86_user_work
        jmp     .again

; IRETQ refused the frame (a RIP that is not canonical, a bad selector). RSP and the registers are
; as before IRETQ, GS is the kernel's: make the frame whole again, and let C decide.
return_refused:
        push    qword 0
        push    qword 13
        push_registers
        mov     rdi, rsp
        call    x86_return_refused
        jmp     trap_return
        ex_table trap_return.iretq, return_refused

; From vectors with an IST stack, which may strike anywhere, also between SWAPGS and the first push:
; the saved CS does not tell whose GS is loaded, but IA32_GS_BASE does (kernel addresses are
; negative). EBX: was the program's GS loaded?
ist_common:
        push_registers
        cld
        smap_site SMAP_CLAC
        xor     ebx, ebx
        mov     ecx, MSR_GS_BASE
        rdmsr
        test    edx, edx
        js      ist_gs_ours
ist_gs_theirs:
        swapgs
        inc     ebx
; An NMI stays on its stack also when it comes from user mode, and finds no work there: the CPU
; takes no other NMI before the next IRETQ, which must not be far.
ist_gs_ours:
        cmp     qword [rsp + TF_VECTOR], 2
        je      .stay
        test    byte [rsp + TF_CS], 3
        jnz     ist_to_task
.stay:  mov     rdi, rsp
        call    x86_trap
        test    ebx, ebx
        jz      .no_swap
        swapgs
.no_swap:
        pop_registers
        add     rsp, 16
        iretq
; Other exceptions that come from user mode go on on the task's stack.
ist_to_task:
        mov     rsi, rsp
        mov     rdi, [gs:CPU_KERNEL_STACK]
        sub     rdi, TF_BYTES
        mov     rsp, rdi
        mov     ecx, TF_BYTES / 8
        rep movsq
        jmp     trap_body

; Where a new user task starts, switched to by arch_switch() with its frame at RSP.
task_begin:
        call    entry_task_begin
        jmp     trap_return

section .rodata
        align   8
trap_vectors:
%assign vector 0
%rep 256
        dq      trap_entry_ %+ vector
%assign vector vector + 1
%endrep
