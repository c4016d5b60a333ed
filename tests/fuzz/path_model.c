/* SPDX-License-Identifier: MIT */
/* The model: folders are arrays of names, and a walk is a recursion. */
#include "path_model.h"

#include <stdio.h>
#include <string.h>

#include "kernel/fs/path.h"
#include "uapi/errno.h"
#include "uapi/stat.h"

struct node nodes[NODES];
size_t node_count;
struct node *root;

struct node *node_new(uint32_t type, struct node *parent, struct inode *inode)
{
    struct node *node = &nodes[node_count++];
    memset(node, 0, sizeof(*node));
    node->type = type;
    node->parent = parent;
    node->inode = inode;
    return node;
}

int find(const struct node *folder, const char *name)
{
    for (int i = 0; i < ENTRIES; i++) {
        if (folder->entry[i].node && !strcmp(folder->entry[i].name, name))
            return i;
    }
    return -1;
}

int free_entry(const struct node *folder)
{
    int i = 0;
    while (i < ENTRIES && folder->entry[i].node)
        i++;
    return i;
}

void entry_set(struct node *folder, const char *name, struct node *node)
{
    int i = free_entry(folder);
    strcpy(folder->entry[i].name, name);
    folder->entry[i].node = node;
    node->names++;
}

void cut(const char *text, struct parts *parts)
{
    size_t end = strlen(text);
    while (end && text[end - 1] == '/')
        end--;
    size_t start = end;
    while (start && text[start - 1] != '/')
        start--;
    parts->slash = text[end] == '/';
    snprintf(parts->before, TEXT, "%.*s", (int)start, text);
    snprintf(parts->last, TEXT, "%.*s", (int)(end - start), text + start);
}

bool special(const char *name) { return !*name || !strcmp(name, ".") || !strcmp(name, ".."); }

int step(struct node *at, const char *name, struct node **to)
{
    if (at->type != S_IFDIR)
        return -ENOTDIR;
    *to = !strcmp(name, "..") ? at->parent : at;
    if (special(name))
        return 0;
    int i = find(at, name);
    *to = i < 0 ? NULL : at->entry[i].node;
    return i < 0 ? -ENOENT : 0;
}

int walk_before(struct node *at, const struct parts *parts, int *links, struct node **to)
{
    *to = at;
    int err = *parts->before ? walk(at, parts->before, true, links, to) : 0;
    return err ? err : (*to)->type != S_IFDIR ? -ENOTDIR : 0;
}

int walk(struct node *at, const char *text, bool follow, int *links, struct node **to)
{
    struct parts parts;
    struct node *folder;
    cut(text, &parts);
    if (!*parts.last) { /* slashes only */
        *to = *text ? root : at;
        return 0;
    }
    int err = walk_before(at, &parts, links, &folder);
    if (!err)
        err = step(folder, parts.last, to);
    if (!err && (*to)->type == S_IFLNK && (follow || parts.slash))
        err = (*links)++ == LINKS_MAX ? -ELOOP : walk(folder, (*to)->link, true, links, to);
    return err ? err : parts.slash && (*to)->type != S_IFDIR ? -ENOTDIR : 0;
}
