/* SPDX-License-Identifier: MIT */
/* Formatted text. */
#include "base/string.h"

struct output {
    char *buffer;
    size_t size, len; /* len: what a large enough buffer would hold */
};

static void put(struct output *out, char c)
{
    if (out->len + 1 < out->size)
        out->buffer[out->len] = c;
    out->len++;
}

/* One conversion: flags, width, precision, size, all as in ISO C. */
struct spec {
    bool left, zero, alternate, plus;
    int width, precision; /* precision -1: none */
    int longs;
};

static void put_padded(struct output *out, const struct spec *spec, const char *text, size_t len,
                       size_t prefix_len)
{
    size_t pad = spec->width > (int)len ? (size_t)spec->width - len : 0;
    bool zeros = spec->zero && !spec->left;
    for (size_t i = 0; i < (zeros ? prefix_len : 0); i++)
        put(out, text[i]);
    for (size_t i = 0; i < pad && !spec->left; i++)
        put(out, zeros ? '0' : ' ');
    for (size_t i = zeros ? prefix_len : 0; i < len; i++)
        put(out, text[i]);
    for (size_t i = 0; i < pad && spec->left; i++)
        put(out, ' ');
}

static void put_number(struct output *out, const struct spec *spec, uint64_t value, unsigned base,
                       bool negative, bool upper)
{
    char text[32];
    size_t at = sizeof(text), prefix = 0;
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    bool hex_prefix = base == 16 && spec->alternate && value;
    do {
        text[--at] = digits[value % base];
        value /= base;
    } while (value);
    if (hex_prefix) {
        text[--at] = 'x';
        text[--at] = '0';
        prefix = 2;
    }
    if (negative || spec->plus) {
        text[--at] = negative ? '-' : '+';
        prefix = 1;
    }
    put_padded(out, spec, text + at, sizeof(text) - at, prefix);
}

static const char *parse_number(const char *format, int *value, va_list *args)
{
    if (*format == '*') {
        *value = va_arg(*args, int);
        return format + 1;
    }
    for (*value = 0; *format >= '0' && *format <= '9'; format++)
        *value = *value * 10 + (*format - '0');
    return format;
}

static const char *parse_spec(const char *format, struct spec *spec, va_list *args)
{
    *spec = (struct spec){ .precision = -1 };
    for (;; format++) {
        if (*format == '-')
            spec->left = true;
        else if (*format == '0')
            spec->zero = true;
        else if (*format == '#')
            spec->alternate = true;
        else if (*format == '+')
            spec->plus = true;
        else
            break;
    }
    format = parse_number(format, &spec->width, args);
    if (*format == '.')
        format = parse_number(format + 1, &spec->precision, args);
    for (; *format == 'l' || *format == 'z' || *format == 'h'; format++)
        spec->longs += *format != 'h';
    return format;
}

static void put_conversion(struct output *out, char c, struct spec *spec, va_list *args)
{
    if (c == 's') {
        const char *s = va_arg(*args, const char *);
        s = s ? s : "(null)";
        put_padded(out, spec, s,
                   spec->precision >= 0 ? strnlen(s, (size_t)spec->precision) : strlen(s), 0);
    } else if (c == 'c') {
        char one = (char)va_arg(*args, int);
        put_padded(out, spec, &one, 1, 0);
    } else if (c == 'd' || c == 'i') {
        int64_t value = spec->longs ? va_arg(*args, int64_t) : va_arg(*args, int);
        put_number(out, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0, false);
    } else if (c == 'p') {
        spec->alternate = true;
        put_number(out, spec, (uint64_t)va_arg(*args, void *), 16, false, false);
    } else if (c == 'u' || c == 'x' || c == 'X' || c == 'o') {
        uint64_t value = spec->longs ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
        put_number(out, spec, value, c == 'u' ? 10 : c == 'o' ? 8 : 16, false, c == 'X');
    } else {
        put(out, c);
    }
}

int vsnprintf(char *buffer, size_t size, const char *format, va_list args)
{
    struct output out = { buffer, size, 0 };
    va_list copy;
    va_copy(copy, args);
    for (; *format; format++) {
        if (*format != '%') {
            put(&out, *format);
            continue;
        }
        struct spec spec;
        format = parse_spec(format + 1, &spec, &copy);
        if (!*format)
            break;
        put_conversion(&out, *format, &spec, &copy);
    }
    va_end(copy);
    if (size)
        buffer[min_u64(out.len, size - 1)] = 0;
    return (int)out.len;
}

int snprintf(char *buffer, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(buffer, size, format, args);
    va_end(args);
    return len;
}
