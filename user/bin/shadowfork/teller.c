/* SPDX-License-Identifier: MIT */
#include "story.h"

#include <stdarg.h>
#include <string.h>

int steps, failures, skips;
char first_failure[120];
static const char *step_name;
static bool step_ok;
bool protected;
static const char *planted_name;
static int planted_step;

void plant_at(const char *name, int at)
{
    planted_name = name;
    planted_step = at;
}

void unplant(void)
{
    if (planted_step && steps >= planted_step)
        file_put_text("/proc/defect", "none");
}

void step(const char *name)
{
    step_name = name;
    step_ok = true;
    printf("\n%2d. %s\n", ++steps, name);
    if (steps == planted_step && file_put_text("/proc/defect", planted_name))
        printf("(this kernel has no planted defect \"%s\")\n", planted_name);
}

void expect(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("    expect  ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

void saw_pte(const char *who, const struct pte *pte)
{
    printf("    saw     %-6s ", who);
    pte_print(stdout, pte);
    printf("\n");
}

void must(bool as_expected) { step_ok = step_ok && as_expected; }

void step_end(void)
{
    printf("    %s\n", step_ok ? "as expected" : "NOT AS EXPECTED");
    if (!step_ok && failures++ == 0)
        snprintf(first_failure, sizeof(first_failure), "%d (%s)", steps, step_name);
    if (!step_ok)
        unplant();
    fflush(stdout);
}

bool skip(void)
{
    if (protected)
        return false;
    printf("    SKIP: no shadow stack: %s\n", no_shstk_reason());
    skips++;
    return true;
}
