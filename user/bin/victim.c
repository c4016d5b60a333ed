/* SPDX-License-Identifier: MIT */
/* victim: a program that is not marked, so that it runs without a shadow stack; its return
 * address gets smashed. */
#include "smash.h"

int main(void)
{
    smash(gadget_loud);
    return 0;
}
