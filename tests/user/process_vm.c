/* SPDX-License-Identifier: MIT */
/* Proves: process_vm_readv() and process_vm_writev() move what the other process could itself read
 * and write, and no more. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/uio.h>

#include "test.h"

#define PAGE 4096l

/* Three pages: readable and writable, read-only, unmapped. A child has the same. */
static char *memory;

static int memory_and_child(void)
{
    memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 2 * PAGE; i++)
        memory[i] = (char)(i * 7);
    CHECK_EQ(mprotect(memory + PAGE, PAGE, PROT_READ), 0);
    CHECK_EQ(munmap(memory + 2 * PAGE, PAGE), 0);
    int child = fork();
    if (child == 0) {
        for (;;)
            pause();
    }
    memset(memory, 0, PAGE);
    return child;
}

static void end(int child)
{
    kill(child, SIGKILL);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST(memory_of_a_child_can_be_read_and_written_in_parts, "")
{
    int child = memory_and_child();
    char a[100], b[5000], c[100] = "";
    struct iovec own[3] = { { a, 100 }, { NULL, 0 }, { b, 5000 } };
    struct iovec other[2] = { { memory + 10, 3000 }, { memory + 3500, 2000 } };
    CHECK_EQ(process_vm_readv(child, own, 3, other, 2, 0), 5000);
    for (int i = 0; i < 5000; i++) {
        int at = i < 3000 ? 10 + i : 500 + i;
        CHECK_EQ(i < 100 ? a[i] : b[i - 100], (char)(at * 7));
    }
    own[0] = (struct iovec){ "written", 8 };
    other[0] = (struct iovec){ memory + 1, 8 };
    CHECK_EQ(process_vm_writev(child, own, 1, other, 1, 0), 8);
    CHECK_EQ(memory[1], 0);
    own[0] = (struct iovec){ c, 100 };
    CHECK_EQ(process_vm_readv(child, own, 1, other, 1, 0), 8);
    CHECK_EQ(strcmp(c, "written"), 0);
    end(child);
}

TEST(what_the_other_cannot_write_is_not_written, "vm_write_forced")
{
    int child = memory_and_child();
    struct iovec own = { "x", 1 }, other = { memory + PAGE, 1 };
    FAILS(process_vm_writev(child, &own, 1, &other, 1, 0), EFAULT);
    FAILS(process_vm_writev(getpid(), &own, 1, &other, 1, 0), EFAULT);
    end(child);
}

TEST(a_transfer_ends_where_memory_does, "")
{
    int child = memory_and_child();
    char bytes[PAGE];
    struct iovec own = { bytes, 1000 }, other = { memory + 2 * PAGE - 300, 1000 };
    CHECK_EQ(process_vm_readv(child, &own, 1, &other, 1, 0), 300);
    other.iov_base = memory + PAGE - 300;
    CHECK_EQ(process_vm_writev(child, &own, 1, &other, 1, 0), 300);
    own.iov_base = memory + 2 * PAGE - 77;
    other.iov_base = memory;
    CHECK_EQ(process_vm_writev(child, &own, 1, &other, 1, 0), 77);
    own.iov_base = memory + 2 * PAGE;
    FAILS(process_vm_writev(child, &own, 1, &other, 1, 0), EFAULT);
    other.iov_base = memory + 2 * PAGE;
    own.iov_base = bytes;
    FAILS(process_vm_readv(child, &own, 1, &other, 1, 0), EFAULT);
    end(child);
}

TEST(transfers_refuse_what_linux_refuses, "")
{
    static struct iovec many[1025];
    int child = memory_and_child();
    char byte;
    struct iovec own = { &byte, 1 }, other = { memory, 1 }, bad = { &byte, (size_t)-1 };
    FAILS(process_vm_readv(child, &own, 1, &other, 1, 1), EINVAL);
    FAILS(process_vm_readv(child, many, 1025, &other, 1, 0), EINVAL);
    FAILS(process_vm_readv(child, &own, 1, many, 1025, 0), EINVAL);
    FAILS(process_vm_readv(child, &bad, 1, &other, 1, 0), EINVAL);
    FAILS(process_vm_readv(child, &own, 1, &bad, 1, 0), EINVAL);
    FAILS(process_vm_readv(child, (void *)1, 1, &other, 1, 0), EFAULT);
    FAILS(process_vm_readv(child, &own, 1, (void *)1, 1, 0), EFAULT);
    CHECK_EQ(process_vm_readv(child, &own, 0, &other, 1, 0), 0);
    CHECK_EQ(process_vm_readv(child, many, 1024, &other, 1, 0), 0);
    CHECK_EQ(process_vm_readv(child, &own, 1, many, 1024, 0), 0);
    kill(child, SIGKILL);
    CHECK_EQ(waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
    FAILS(process_vm_readv(child, &own, 1, &other, 1, 0), ESRCH);
    end(child);
    FAILS(process_vm_readv(child, &own, 1, &other, 1, 0), ESRCH);
}

/* A shadow stack may be read. The child's lies where the parent's does. */
TEST_SHSTK(no_transfer_writes_a_shadow_stack, "vm_write_forced")
{
    uint64_t slot = rdssp(), word = 0, evil = 0x1234;
    int child = memory_and_child();
    struct iovec own = { &word, 8 }, from = { &evil, 8 }, other = { (void *)slot, 8 };
    CHECK_EQ(process_vm_readv(getpid(), &own, 1, &other, 1, 0), 8);
    CHECK_EQ(word, *(uint64_t *)slot);
    FAILS(process_vm_writev(getpid(), &from, 1, &other, 1, 0), EFAULT);
    CHECK_EQ(word, *(uint64_t *)slot);
    FAILS(process_vm_writev(child, &from, 1, &other, 1, 0), EFAULT);
    CHECK_EQ(process_vm_readv(child, &own, 1, &other, 1, 0), 8);
    CHECK(word != evil);
    end(child);
}
