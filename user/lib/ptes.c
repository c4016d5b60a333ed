/* SPDX-License-Identifier: MIT */
#include "ptes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "portable.h"
#include "raw.h"

/* Read a file line by line, with memory on the caller's stack only. The file may describe the very
 * process that reads it, and stdio's buffers would change that process. */
struct lines {
    int fd;
    size_t at, len;
    char bytes[1024];
};

/* There are bytes to take; false at the end. */
static bool lines_fill(struct lines *lines)
{
    if (lines->at == lines->len) {
        ssize_t got = read(lines->fd, lines->bytes, sizeof(lines->bytes));
        lines->at = 0;
        lines->len = got > 0 ? (size_t)got : 0;
    }
    return lines->len != 0;
}

/* The next line, without its end and cut to size; false at the end. */
static bool line_next(struct lines *lines, char *line, size_t size)
{
    size_t len = 0;
    bool more = lines_fill(lines), complete = false;
    while (!complete && lines_fill(lines)) {
        const char *from = lines->bytes + lines->at,
                   *end = memchr(from, '\n', lines->len - lines->at);
        size_t part = end ? (size_t)(end - from) : lines->len - lines->at;
        size_t kept = part < size - 1 - len ? part : size - 1 - len;
        memcpy(line + len, from, kept);
        len += kept;
        complete = end != NULL;
        lines->at += part + complete;
    }
    line[len] = 0;
    return more;
}

static struct lines lines_of(int pid, const char *name)
{
    char path[64];
    if (strcmp(name, "ptes") == 0)
        penumbra_only();
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return (struct lines){ .fd = open(path, O_RDONLY) };
}

/* The number at *at, hexadecimal behind 0x, else decimal; blanks around it are skipped. A process
 * can have many entries, and sscanf() takes some thousand instructions for each. */
static uint64_t number_take(const char **at)
{
    const char *c = *at + strspn(*at, " ");
    unsigned base = c[0] == '0' && c[1] == 'x' ? 16 : 10;
    uint64_t number = 0;
    for (c += base == 16 ? 2 : 0;
         (*c >= '0' && *c <= '9') || (base == 16 && *c >= 'a' && *c <= 'f'); c++)
        number = number * base + (uint64_t)(*c <= '9' ? *c - '0' : *c - 'a' + 10);
    *at = c;
    return number;
}

static struct pte pte_parse(const char *at)
{
    struct pte pte;
    pte.va = number_take(&at);
    pte.bytes = number_take(&at);
    pte.bytes <<= *at == 'K' ? 10 : *at == 'M' ? 20 : 30;
    at++;
    pte.raw = number_take(&at);
    pte.w = (int)number_take(&at);
    pte.d = (int)number_take(&at);
    pte.cow = (int)number_take(&at);
    pte.state = at[1];
    at += 2;
    pte.pfn = number_take(&at);
    pte.refs = (unsigned)number_take(&at);
    pte.shared_level = (int)number_take(&at);
    pte.sharers = (unsigned)number_take(&at);
    return pte;
}

/* The next entry; false at the end. */
static bool pte_next(struct lines *lines, struct pte *pte)
{
    char line[160];
    bool more = line_next(lines, line, sizeof(line));
    if (more)
        *pte = pte_parse(line);
    return more;
}

static bool pte_covers(const struct pte *pte, uint64_t va)
{
    return va >= pte->va && va - pte->va < pte->bytes;
}

struct pte pte_of(int pid, uint64_t va)
{
    struct pte pte;
    struct lines lines = lines_of(pid, "ptes");
    bool found = false;
    while (!found && pte_next(&lines, &pte))
        found = pte_covers(&pte, va);
    close(lines.fd);
    return found ? pte : (struct pte){ 0 };
}

#define ROOT_SHIFT 39 /* log2 of what an entry of the root translates */

struct leaves leaves_of(int pid, uint64_t va)
{
    struct leaves leaves = { .sum = 14695981039346656037ul }; /* FNV-1a */
    struct pte pte;
    struct lines lines = lines_of(pid, "ptes");
    for (uint64_t root = ~0ul; pte_next(&lines, &pte); root = pte.va >> ROOT_SHIFT) {
        if (pte_covers(&pte, va))
            leaves.at = pte;
        leaves.count++;
        leaves.roots += pte.va >> ROOT_SHIFT != root;
        leaves.shared += pte.shared_level == 4 && pte.sharers == 2;
        leaves.sum = (leaves.sum ^ pte.va) * 1099511628211ul;
        leaves.sum = (leaves.sum ^ pte.raw) * 1099511628211ul;
    }
    close(lines.fd);
    return leaves;
}

void pte_print(FILE *to, const struct pte *pte)
{
    if (!pte->state) {
        fprintf(to, "no entry");
        return;
    }
    fprintf(to, "0x%lx raw 0x%016lx W%d D%d COW%d (%c) frame 0x%lx refs %u", pte->va, pte->raw,
            pte->w, pte->d, pte->cow, pte->state, pte->pfn, pte->refs);
}

bool mapping_of(int pid, uint64_t va, struct mapping *mapping)
{
    char line[256];
    uint64_t start, end, end_before = 0;
    bool found = false, complete = false;
    struct lines lines = lines_of(pid, "maps");
    while (!complete && line_next(&lines, line, sizeof(line))) {
        char name[32] = "";
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %31[^\n]", &start, &end, name) < 2)
            continue;
        if (found) {
            mapping->free_above = start - mapping->end;
            complete = true;
        } else if (va >= start && va < end) {
            *mapping = (struct mapping){ start, end, start - end_before, ~0ul, "" };
            memcpy(mapping->name, name, sizeof(name));
            found = true;
        }
        end_before = end;
    }
    close(lines.fd);
    return found;
}

bool refusal_of(int pid, struct refusal *refusal)
{
    char line[200];
    bool found = false;
    penumbra_only();
    FILE *file = fopen("/proc/trace", "r");
    while (file && fgets(line, sizeof(line), file)) {
        struct refusal r;
        int who;
        if (sscanf(line, "%*u %*u %d refusal signal %d code %d addr %lx error %lx rip %lx", &who,
                   &r.signal, &r.code, &r.addr, &r.error, &r.rip)
                == 6
            && who == pid) {
            *refusal = r;
            found = true;
        }
    }
    if (file)
        fclose(file);
    return found;
}

uint64_t trace_begin(void)
{
    file_put_text("/proc/trace", "1");
    return rdtsc();
}

static void traced_add(struct traced *traced, const char *why)
{
    traced->all++;
    traced->tables_own += strcmp(why, "table-own") == 0;
    traced->tables_share += strcmp(why, "table-share") == 0;
    traced->tables_copy += strcmp(why, "table-copy") == 0;
    traced->leaves_share += strcmp(why, "share") == 0;
    traced->pages_copy += strcmp(why, "shstk-copy") == 0 || strcmp(why, "cow-copy") == 0;
}

struct traced trace_end(int pid, uint64_t since, uint64_t va)
{
    char line[200], why[32];
    struct traced traced = { 0 };
    uint64_t time, at;
    int who;
    file_put_text("/proc/trace", "0");
    FILE *file = fopen("/proc/trace", "r");
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%lu %*u %d 0x%lx %*s %*s %*s %31s", &time, &who, &at, why) == 4
            && who == pid && time >= since && at >> ROOT_SHIFT == va >> ROOT_SHIFT)
            traced_add(&traced, why);
    }
    if (file)
        fclose(file);
    return traced;
}

uint64_t trace_total(void)
{
    const char *at = strstr(file_text("/proc/counters"), "traced ");
    return at ? strtoul(at + 7, NULL, 10) : 0;
}

unsigned trace_count_since(uint64_t since)
{
    char line[200];
    unsigned count = 0;
    penumbra_only();
    FILE *file = fopen("/proc/trace", "r");
    while (file && fgets(line, sizeof(line), file))
        count += strtoul(line, NULL, 10) >= since;
    if (file)
        fclose(file);
    return count;
}

const char *file_text(const char *path)
{
    static char text[65536];
    size_t len = 0;
    penumbra_only_file(path);
    int fd = open(path, O_RDONLY);
    for (ssize_t got; fd >= 0 && len < sizeof(text) - 1
                      && (got = read(fd, text + len, sizeof(text) - 1 - len)) > 0;)
        len += (size_t)got;
    if (fd >= 0)
        close(fd);
    text[len] = 0;
    return text;
}

int file_put_text(const char *path, const char *text)
{
    penumbra_only_file(path);
    int fd = open(path, O_WRONLY);
    if (fd < 0)
        return -1;
    ssize_t done = write(fd, text, strlen(text));
    close(fd);
    return done == (ssize_t)strlen(text) ? 0 : -1;
}

long frames_of(const char *name)
{
    const char *text = file_text("/proc/frames");
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        size_t len = strlen(name);
        if (strncmp(line, name, len) == 0 && line[len] == ' ')
            return atol(line + len);
    }
    return -1;
}

long frames_in_use(void)
{
    unsigned long anon = 0, shstk = 0, table = 0, file = 0, kernel = 0;
    /* the first reading only takes the frames that reading needs, such as a copy of the buffer */
    file_text("/proc/frames");
    sscanf(file_text("/proc/frames"),
           "total %*u free %*u used %*u anon %lu shstk %lu table %lu file %lu slab %*u kernel %lu",
           &anon, &shstk, &table, &file, &kernel);
    return (long)(anon + shstk + table + file + kernel);
}

bool check_counts(unsigned *now, unsigned *total)
{
    return sscanf(file_text("/proc/check"),
                  "checked %*u processes, %u violations found, %u since boot", now, total)
           == 2;
}

const char *no_shstk_reason(void)
{
    static const char mark[] = "cet: no shadow stacks: ";
    char *at = strstr(file_text("/proc/kmsg"), mark);
    if (!at)
        return "this program is not marked for one";
    at += sizeof(mark) - 1;
    at[strcspn(at, "\n")] = 0;
    return at;
}

bool has_user_shstk(void) { return strstr(file_text("/proc/cpuinfo"), "user_shstk") != NULL; }
