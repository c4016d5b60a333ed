/* SPDX-License-Identifier: MIT */
/* The files of /proc by which tests reach into the test kernel: its defects, failing allocations,
 * registers, NMIs, and crimes. */
#include "arch/x86/arch.h"
#include "base/defect.h"
#include "base/failpoint.h"
#include "base/words.h"
#include "kernel/proc/proc_text.h"
#include "kernel/proc/text.h"
#include "tests/kernel/kernel/crash.h"
#include "uapi/errno.h"

static void show_defect(struct text *text, struct process *process, struct mm *mm)
{
    text_printf(text, "%s\n", defect_name(defect_current));
}

static long write_defect(struct process *process, const char *line)
{
    return defect_set(line[0] ? line : "none");
}

/* The registers of the CPU that runs the reader. */
static void show_registers(struct text *text, struct process *process, struct mm *mm)
{
    struct arch_register registers[ARCH_REGISTERS_MAX];
    size_t count = arch_registers_read(registers);
    for (size_t i = 0; i < count; i++)
        text_printf(text, "%s %#lx\n", registers[i].name, registers[i].value);
}

static void show_failpoint(struct text *text, struct process *process, struct mm *mm)
{
    text_printf(text, "%lu\n", failpoint_count());
}

static long write_failpoint(struct process *process, const char *line)
{
    uint64_t n;
    if (!number_take(&line, 10, &n) || *line)
        return -EINVAL;
    failpoint_arm(n);
    return 0;
}

/* "ADDRESS VALUE": the kernel itself stores to the shadow stack of the writing process, as signals
 * will need. */
static long write_wruss(struct process *process, const char *line)
{
    uint64_t va, value;
    if (!number_take(&line, 10, &va) || !number_take(&line, 10, &value) || *line || va % 8)
        return -EINVAL;
    return arch_wruss(uaddr(va), value);
}

/* "N": send an NMI to every other CPU, N times, at most 10,000. */
static long write_nmi(struct process *process, const char *line)
{
    uint64_t n;
    if (!number_take(&line, 10, &n) || *line)
        return -EINVAL;
    for (n = min_u64(n, 10000); n; n--) {
        if (!arch_cpus_answer())
            return -EIO;
    }
    return 0;
}

static void show_nothing(struct text *text, struct process *process, struct mm *mm) {}

static const struct proc_file files[] = {
    { "defect", .show = show_defect, .write = write_defect },
    { "failpoint", .show = show_failpoint, .write = write_failpoint },
    { "wruss", .show = show_nothing, .write = write_wruss },
    { "nmi", .show = show_nothing, .write = write_nmi },
    { "crash", .show = show_nothing, .write = crash },
    { "registers", .show = show_registers },
};

const struct proc_file *proc_test_file(size_t index)
{
    return index < ARRAY_SIZE(files) ? &files[index] : NULL;
}
