/* SPDX-License-Identifier: MIT */
/* The part of the C library that a freestanding compiler and this kernel need. Semantics as in ISO
 * C. */
#ifndef BASE_STRING_H
#define BASE_STRING_H

#include "base/types.h"
#include <stdarg.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max);
char *strchr(const char *s, int c);

/* %d %u %x %X %p %s %c %% with l, ll, z, width, zero padding, '-', '.precision' for strings.
 * Always terminates. */
int snprintf(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
int vsnprintf(char *buffer, size_t size, const char *format, va_list args);

#endif
