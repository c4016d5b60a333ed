/* SPDX-License-Identifier: MIT */
/* System calls on the system as a whole. */
#include "base/version.h"
#include "kernel/fs/devices.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "mm/phys/frame.h"
#include "uapi/errno.h"

#define NS_PER_S 1000000000ull

long sys_uname(uaddr_t to)
{
    /* The release names the Linux whose interface this kernel offers: C libraries refuse to start
     * on an older one. */
    static const struct {
        char text[6][65];
    } names = { {
        "Penumbra",
        "penumbra",
        "6.12.0-penumbra",
        "#1",
        "x86_64",
        "(none)",
    } };
    return arch_copy_to_user(to, &names, sizeof(names)) ? -EFAULT : 0;
}

#define GRND_NONBLOCK 1u
#define GRND_RANDOM   2u
#define GRND_INSECURE 4u

long sys_getrandom(uaddr_t to, size_t len, unsigned flags)
{
    if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)
        || (flags & GRND_RANDOM && flags & GRND_INSECURE))
        return -EINVAL;
    return random_copy_to_user(to, min_u64(len, INT32_MAX));
}

long sys_sysinfo(uaddr_t to)
{
    struct frame_stats stats;
    frame_stats(&stats);
    struct {
        int64_t uptime;
        uint64_t loads[3], total, free, shared, buffer, swap_total, swap_free;
        uint16_t processes, pad;
        uint64_t high_total, high_free;
        uint32_t unit;
        char tail[4];
    } info = {
        .uptime = (int64_t)(arch_clock_ns() / NS_PER_S),
        .total = stats.total * PAGE_SIZE,
        .free = stats.free * PAGE_SIZE,
        .processes = (uint16_t)min_u64(process_count(), UINT16_MAX),
        .unit = 1,
    };
    return arch_copy_to_user(to, &info, sizeof(info)) ? -EFAULT : 0;
}

#define REBOOT_MAGIC1    0xfee1dead
#define REBOOT_RESTART   0x01234567
#define REBOOT_HALT      0xcdef0123
#define REBOOT_POWER_OFF 0x4321fedc
#define REBOOT_CAD_OFF   0x00000000 /* would control Ctrl+Alt+Del; it does nothing here */

/* Linux accepts any of four numbers here (birthdays). */
static bool magic2_valid(uint32_t magic2)
{
    return magic2 == 0x28121969 || magic2 == 0x05121996 || magic2 == 0x16041998
           || magic2 == 0x20112000;
}

long sys_reboot(int magic1, int magic2, unsigned command, uaddr_t text)
{
    if ((uint32_t)magic1 != REBOOT_MAGIC1 || !magic2_valid((uint32_t)magic2))
        return -EINVAL;
    switch (command) {
    case REBOOT_RESTART: arch_reboot();
    case REBOOT_HALT:
    case REBOOT_POWER_OFF: arch_power_off();
    case REBOOT_CAD_OFF: return 0;
    default: return -EINVAL;
    }
}
