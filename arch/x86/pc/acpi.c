/* SPDX-License-Identifier: MIT */
/* A reader of the few ACPI tables the kernel uses. Every table's checksum is verified before it
 * is believed. */
#include "arch/x86/pc/acpi.h"

#include "arch/x86/arch.h"
#include "base/log.h"
#include "base/string.h"
#include "mm/phys/kmap.h"

/* ACPI 6.5, "Root System Description Pointer". */
struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t bytes;
    uint64_t xsdt;
    uint8_t extended_checksum;
    uint8_t reserved[3];
} __attribute__((packed));

struct table {
    char signature[4];
    uint32_t bytes;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

#define FADT_DSDT         40 /* byte offsets in the FADT */
#define FADT_PM1A_CONTROL 64
#define FADT_PM1B_CONTROL 68
#define FADT_PM_TIMER     76
#define FADT_FLAGS        112
#define FADT_TMR_VAL_EXT  (1u << 8)
#define TABLE_BYTES_MAX   (4u << 20)
#define SLP_EN            (1u << 13)

static const struct table *root;
static bool root_is_xsdt;

/* Firmware memory, in the direct map or mapped for the purpose; NULL when that fails. */
static const void *firmware_memory(uint64_t pa, uint64_t bytes)
{
    int level;
    void *direct = arch_phys_to_virt(paddr(pa)), *last = arch_phys_to_virt(paddr(pa + bytes - 1));
    if (kmap_lookup(kmap_root(), (uint64_t)direct, &level)
        && kmap_lookup(kmap_root(), (uint64_t)last, &level))
        return direct;
    return kmap_device(paddr(pa), bytes, KMAP_CACHED);
}

static bool checksum_ok(const void *data, size_t bytes)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum += ((const uint8_t *)data)[i];
    return sum == 0;
}

/* The table at pa, whole, if its length and checksum are right. */
static const struct table *table_at(uint64_t pa)
{
    const struct table *head = pa ? firmware_memory(pa, sizeof(*head)) : NULL;
    if (!head || head->bytes < sizeof(*head) || head->bytes > TABLE_BYTES_MAX)
        return NULL;
    const struct table *whole = firmware_memory(pa, head->bytes);
    return whole && checksum_ok(whole, whole->bytes) ? whole : NULL;
}

const void *acpi_table(const char signature[4])
{
    if (!root)
        return NULL;
    size_t entry_bytes = root_is_xsdt ? 8 : 4, count = (root->bytes - sizeof(*root)) / entry_bytes;
    for (size_t i = 0; i < count; i++) {
        uint64_t pa = 0;
        memcpy(&pa, (const char *)(root + 1) + i * entry_bytes, entry_bytes);
        const struct table *table = table_at(pa);
        if (table && memcmp(table->signature, signature, 4) == 0)
            return table;
    }
    return NULL;
}

/* A 32-bit field of the FADT, 0 when the table is too short for it. */
static uint32_t fadt_field(const struct table *fadt, unsigned offset)
{
    uint32_t value = 0;
    if (fadt && offset + sizeof(value) <= fadt->bytes)
        memcpy(&value, (const char *)fadt + offset, sizeof(value));
    return value;
}

uint16_t acpi_pm_timer_port(bool *wide)
{
    const struct table *fadt = acpi_table("FACP");
    *wide = fadt_field(fadt, FADT_FLAGS) & FADT_TMR_VAL_EXT;
    return (uint16_t)fadt_field(fadt, FADT_PM_TIMER);
}

/* ACPI 6.5, "Multiple APIC Description Table": 44 bytes of header, then entries of a type and a
 * length. */
unsigned acpi_cpus(uint32_t *ids, unsigned room)
{
    enum { MADT_HEADER = 44, LOCAL_APIC = 0, LOCAL_X2APIC = 9, ENABLED = 1 };
    const struct table *madt = acpi_table("APIC");
    unsigned count = 0;
    if (!madt)
        return 0;
    const uint8_t *at = (const uint8_t *)madt + MADT_HEADER,
                  *end = (const uint8_t *)madt + madt->bytes;
    for (; at + 2 <= end && at[1] >= 2 && at + at[1] <= end && count < room; at += at[1]) {
        uint32_t id, flags;
        if (at[0] == LOCAL_APIC && at[1] >= 8) {
            id = at[3];
            memcpy(&flags, at + 4, sizeof(flags));
        } else if (at[0] == LOCAL_X2APIC && at[1] >= 16) {
            memcpy(&id, at + 4, sizeof(id));
            memcpy(&flags, at + 8, sizeof(flags));
        } else {
            continue;
        }
        bool known = false; /* firmware may list a CPU as both */
        for (unsigned i = 0; i < count; i++)
            known = known || ids[i] == id;
        if (flags & ENABLED && !known)
            ids[count++] = id;
    }
    return count;
}

/* One small integer of an AML package: ZeroOp, OneOp, BytePrefix. */
static const uint8_t *aml_byte(const uint8_t *at, uint8_t *value)
{
    if (*at == 0x0a)
        at++;
    *value = *at;
    return at + 1;
}

/*
 * The DSDT holds SLP_TYPa and SLP_TYPb as Name(\_S5, Package(){a, b, ...}). AML is not interpreted
 * here: the name directly followed by a package is enough.
 */
static bool s5_find(uint16_t port[2], uint16_t value[2])
{
    const struct table *fadt = acpi_table("FACP");
    port[0] = (uint16_t)fadt_field(fadt, FADT_PM1A_CONTROL);
    port[1] = (uint16_t)fadt_field(fadt, FADT_PM1B_CONTROL);
    const struct table *dsdt = table_at(fadt_field(fadt, FADT_DSDT));
    if (!port[0] || !dsdt)
        return false;
    const uint8_t *aml = (const uint8_t *)(dsdt + 1),
                  *end = (const uint8_t *)dsdt + dsdt->bytes - 16;
    for (; aml < end; aml++) {
        if (memcmp(aml, "_S5_", 4) != 0 || aml[4] != 0x12) /* PackageOp */
            continue;
        const uint8_t *at = aml + 5;
        at += (*at >> 6) + 2; /* PkgLength, NumElements */
        uint8_t type[2];
        at = aml_byte(at, &type[0]);
        (void)aml_byte(at, &type[1]);
        value[0] = (uint16_t)(type[0] << 10 | SLP_EN);
        value[1] = (uint16_t)(type[1] << 10 | SLP_EN);
        return true;
    }
    return false;
}

/* Found once, at start: when it is needed, other CPUs may have been stopped while they held any
 * lock. */
static struct {
    bool known;
    uint16_t port[2], value[2];
} s5;

bool acpi_s5(uint16_t port[2], uint16_t value[2])
{
    memcpy(port, s5.port, sizeof(s5.port));
    memcpy(value, s5.value, sizeof(s5.value));
    return s5.known;
}

void acpi_init(uint64_t rsdp_pa)
{
    const struct rsdp *rsdp = rsdp_pa ? firmware_memory(rsdp_pa, sizeof(*rsdp)) : NULL;
    if (rsdp && memcmp(rsdp->signature, "RSD PTR ", 8) == 0 && checksum_ok(rsdp, 20)) {
        root_is_xsdt = rsdp->revision >= 2 && rsdp->xsdt;
        root = table_at(root_is_xsdt ? rsdp->xsdt : rsdp->rsdt);
    }
    s5.known = s5_find(s5.port, s5.value);
    log_line(root ? "acpi: tables found" : "acpi: the firmware has no usable tables");
}
