/* SPDX-License-Identifier: MIT */
/* Exercises of docs/platform.md. */
#include <cpuid.h>

#include "test.h"

/* The CPU's own name, CPUID leaves 80000002H to 80000004H. */
static void brand_string(char text[49])
{
    unsigned *word = (unsigned *)(void *)text;
    for (unsigned leaf = 0; leaf < 3; leaf++, word += 4)
        __cpuid(0x80000002u + leaf, word[0], word[1], word[2], word[3]);
    text[48] = 0;
}

static int has_flag(const char *name)
{
    char flag[24];
    const char *line = strstr(file_text("/proc/cpuinfo"), "flags");
    snprintf(flag, sizeof(flag), " %s", name);
    const char *found = line ? strstr(line, flag) : NULL;
    return found && found < line + strcspn(line, "\n")
           && (found[strlen(flag)] == ' ' || found[strlen(flag)] == '\n');
}

/* /proc/cpuinfo tells the CPU's name and which of the features that this kernel uses it has. */
EXERCISE(exercise_cpuinfo)
{
    char brand[49] __attribute__((aligned(4)));
    unsigned a, b, c, d;
    brand_string(brand);
    const char *name = brand + strspn(brand, " ");
    const char *line = strstr(file_text("/proc/cpuinfo"), "model name");
    EXPECT(line, "a line \"model name\\t: ...\" in /proc/cpuinfo");
    EXPECT(strstr(line, name), "the model name \"%s\"", name);
    __cpuid_count(7, 0, a, b, c, d);
    EXPECT(has_flag("smep") == (int)(b >> 7 & 1),
           "smep among the flags if and only if the CPU has it");
    EXPECT(has_flag("smap") == (int)(b >> 20 & 1),
           "smap among the flags if and only if the CPU has it");
    EXPECT(has_flag("umip") == (int)(c >> 2 & 1),
           "umip among the flags if and only if the CPU has it");
    EXPECT(has_flag("ibt") == (int)(d >> 20 & 1),
           "ibt among the flags if and only if the CPU has it");
}

/* CPUID.1:ECX[31], which no CPU sets: hypervisors do (Intel SDM vol. 2, "CPUID"). Linux has a
 * flag for it. */
EXERCISE(exercise_hypervisor)
{
    uint32_t eax = 1, ebx, ecx, edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    const char *flags = strstr(file_text("/proc/cpuinfo"), "flags");
    EXPECT(flags != NULL, "a line of flags in /proc/cpuinfo");
    int named = strstr(flags, " hypervisor") != NULL, there = ecx >> 31;
    EXPECT(named == there, "the flag hypervisor in /proc/cpuinfo to be %s",
           there ? "there" : "absent");
    EXPECT(strstr(flags, " rdrand") != NULL || !(ecx >> 30 & 1),
           "the flags of this register beside it: rdrand as well");
}
