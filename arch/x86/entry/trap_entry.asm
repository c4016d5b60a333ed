; SPDX-License-Identifier: MIT
; Exception and interrupt entry. Every vector ends in one frame, struct trap_frame, and one C
; function, x86_trap(). A task with a shadow stack has had its SSP put in IA32_PL3_SSP by the CPU;
; IRETQ to ring 3 takes it from there.
%include "entry/frame.inc"

        extern  x86_trap
        extern  x86_user_work
        extern  entry_task_begin
%ifdef CONFIG_TEST
        extern  defect_current
%endif
        global  trap_vectors
        global  trap_return
        global  task_begin

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
%elif (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
        trap_entry vector, 1, trap_common
%else
        trap_entry vector, 0, trap_common
%endif
%assign vector vector + 1
%endrep

; From vectors that use the interrupted stack or the task's kernel stack. Whose GS is loaded follows
; from the saved CS.
trap_common:
        test    byte [rsp + 24], 3
        jz      .kernel
        swapgs
.kernel:
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
        jz      .leave
.again: cli
        cmp     dword [gs:CPU_USER_WORK], 0
        jne     .work
        swapgs
.leave: pop_registers
        add     rsp, 16                 ; vector, error
        iretq
.work:  mov     rdi, rsp
        call    x86_user_work
        jmp     .again

; From vectors with an IST stack, which may strike anywhere, also between SWAPGS and the first push:
; the saved CS does not tell whose GS is loaded, IA32_GS_BASE does (kernel addresses are negative).
; From user mode, go on on the task's stack.
ist_common:
        push_registers
        cld
        smap_site SMAP_CLAC
        xor     ebx, ebx
%ifdef CONFIG_TEST
        cmp     dword [rel defect_current], DEFECT_IST_BY_CS
        jne     .by_base
        test    byte [rsp + TF_CS], 3
        jz      .gs_ours
        jmp     .gs_theirs
.by_base:
%endif
        mov     ecx, MSR_GS_BASE
        rdmsr
        test    edx, edx
        js      .gs_ours
.gs_theirs:
        swapgs
        inc     ebx
.gs_ours:
        test    byte [rsp + TF_CS], 3
        jnz     .from_user
        mov     rdi, rsp
        call    x86_trap
        test    ebx, ebx
        jz      .no_swap
        swapgs
.no_swap:
        pop_registers
        add     rsp, 16
        iretq
.from_user:
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
