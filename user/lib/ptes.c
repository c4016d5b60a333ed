/* SPDX-License-Identifier: MIT */
#include "ptes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Read a file line by line, with memory on the caller's stack only. The file may describe the very
 * process that reads it, and stdio's buffers would change that process. */
struct lines {
    int fd;
    size_t at, len;
    char bytes[1024];
};

static int line_byte(struct lines *lines)
{
    if (lines->at == lines->len) {
        ssize_t got = read(lines->fd, lines->bytes, sizeof(lines->bytes));
        lines->at = 0;
        lines->len = got > 0 ? (size_t)got : 0;
    }
    return lines->at < lines->len ? lines->bytes[lines->at++] : -1;
}

/* The next line, without its end and cut to size; false at the end. */
static bool line_next(struct lines *lines, char *line, size_t size)
{
    size_t len = 0;
    int c;
    while ((c = line_byte(lines)) >= 0 && c != '\n') {
        if (len < size - 1)
            line[len++] = (char)c;
    }
    line[len] = 0;
    return len || c >= 0;
}

static struct lines lines_of(int pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return (struct lines){ .fd = open(path, O_RDONLY) };
}

struct pte pte_of(int pid, uint64_t va)
{
    char line[160];
    struct pte found = { 0 };
    struct lines lines = lines_of(pid, "ptes");
    while (!found.state && line_next(&lines, line, sizeof(line))) {
        struct pte pte;
        char size;
        unsigned count;
        if (sscanf(line, "%lx %u%c %lx %d %d %d %c %lx %u %d %u", &pte.va, &count, &size, &pte.raw,
                   &pte.w, &pte.d, &pte.cow, &pte.state, &pte.pfn, &pte.refs, &pte.shared_level,
                   &pte.sharers)
            != 12)
            continue;
        pte.bytes = (uint64_t)count << (size == 'K' ? 10 : size == 'M' ? 20 : 30);
        if (va >= pte.va && va - pte.va < pte.bytes)
            found = pte;
    }
    close(lines.fd);
    return found;
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

const char *file_text(const char *path)
{
    static char text[65536];
    size_t len = 0;
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
