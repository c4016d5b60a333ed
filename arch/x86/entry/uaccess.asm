; SPDX-License-Identifier: MIT
; Reaching user memory. RFLAGS.AC lets SMAP be passed only around the access itself. A fault there
; is resolved like the program's own, or goes on at the fix-up, which returns -EFAULT. No stack is
; used, so there is no shadow-stack effect.
%include "entry/frame.inc"

        global  arch_copy_from_user
        global  arch_copy_to_user
        global  arch_clear_user
        global  arch_strncpy_from_user
        global  arch_wruss
        global  x86_fpu_save_user
        global  x86_fpu_restore_user

section .text
; user_range ADDRESS, LENGTH: to .bad unless the range lies in user space. Clobbers r8, r9.
%macro user_range 2
        mov     r8, %1
        add     r8, %2
        jc      .bad
        mov     r9, USER_END
        cmp     r8, r9
        ja      .bad
%endmacro

; int arch_copy_from_user(void *to, uaddr_t from, size_t len): rdi, rsi, rdx
        align   16
arch_copy_from_user:
        user_range rsi, rdx
        jmp     copy
; int arch_copy_to_user(uaddr_t to, const void *from, size_t len): rdi, rsi, rdx
        align   16
arch_copy_to_user.bad:
arch_copy_from_user.bad:
        mov     eax, -EFAULT
        ret
arch_copy_to_user:
        user_range rdi, rdx
copy:   mov     rcx, rdx
        shr     rcx, 3
        and     edx, 7
        smap_site SMAP_STAC
.words: rep movsq
        mov     ecx, edx
.bytes: rep movsb
        smap_site SMAP_CLAC
        xor     eax, eax
        ret
        ex_table copy.words, user_fault
        ex_table copy.bytes, user_fault

; int arch_clear_user(uaddr_t to, size_t len): rdi, rsi
        align   16
arch_clear_user:
        user_range rdi, rsi
        mov     rcx, rsi
        xor     eax, eax
        smap_site SMAP_STAC
.store: rep stosb
        smap_site SMAP_CLAC
        ret
.bad:   mov     eax, -EFAULT
        ret
        ex_table arch_clear_user.store, user_fault

; long arch_strncpy_from_user(char *to, uaddr_t from, size_t size): rdi, rsi, rdx
; Only addresses below USER_END are read: the length is cut so that the copy ends there.
        align   16
arch_strncpy_from_user:
        mov     r9, USER_END
        cmp     rsi, r9
        jae     .bad
        sub     r9, rsi
        cmp     rdx, r9
        mov     r10d, 36                ; ENAMETOOLONG, when it is size that ends the loop ...
        jbe     .begin
        mov     rdx, r9
        mov     r10d, EFAULT            ; ... EFAULT when it is the end of user space
.begin: xor     ecx, ecx
        smap_site SMAP_STAC
.next:  cmp     rcx, rdx
        je      .long
.load:  mov     al, [rsi + rcx]
        mov     [rdi + rcx], al
        inc     rcx
        test    al, al
        jnz     .next
        smap_site SMAP_CLAC
        lea     rax, [rcx - 1]
        ret
.long:  smap_site SMAP_CLAC
        mov     rax, r10
        neg     rax
        ret
.bad:   mov     rax, -EFAULT
        ret
        ex_table arch_strncpy_from_user.load, user_fault

; int arch_wruss(uaddr_t va, uint64_t value): rdi, rsi. WRUSS is always a user
; access, so SMAP does not apply.
        align   16
arch_wruss:
        mov     r9, USER_END
        cmp     rdi, r9
        jae     .bad
.store: wrussq  [rdi], rsi
        xor     eax, eax
        ret
.bad:   mov     eax, -EFAULT
        ret
        ex_table arch_wruss.store, user_fault

; int x86_fpu_save_user(uaddr_t area, size_t len, uint32_t mask): rdi, rsi, edx. Handlers that know
; only the legacy part may change it: it is marked as there.
        align   16
x86_fpu_save_user:
        user_range rdi, rsi
        mov     eax, edx
        xor     edx, edx
        smap_site SMAP_STAC
        test    eax, eax
        jz      .legacy
.save:  xsave64 [rdi]
.mark:  or      dword [rdi + 512], 3
        jmp     fpu_done
.legacy:
        fxsave64 [rdi]
        jmp     fpu_done
x86_fpu_save_user.bad:
x86_fpu_restore_user.bad:
        mov     eax, -EFAULT
        ret
        ex_table x86_fpu_save_user.save, user_fault
        ex_table x86_fpu_save_user.mark, user_fault
        ex_table x86_fpu_save_user.legacy, user_fault

; int x86_fpu_restore_user(uaddr_t area, size_t len, uint32_t mask): rdi, rsi, edx. What the CPU
; does not accept is #GP, and goes on at the fix-up like a page fault.
        align   16
x86_fpu_restore_user:
        user_range rdi, rsi
        mov     eax, edx
        xor     edx, edx
        smap_site SMAP_STAC
        test    eax, eax
        jz      .legacy
.load:  xrstor64 [rdi]
        jmp     fpu_done
.legacy:
        fxrstor64 [rdi]
fpu_done:
        smap_site SMAP_CLAC
        xor     eax, eax
        ret
        ex_table x86_fpu_restore_user.load, user_fault
        ex_table x86_fpu_restore_user.legacy, user_fault

user_fault:
        smap_site SMAP_CLAC
        mov     rax, -EFAULT
        ret
