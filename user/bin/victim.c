/* SPDX-License-Identifier: MIT */
/* victim: a program that is not marked, so it runs without a shadow stack. Its return address gets
 * smashed. */
#include "smash.h"

int main(void)
{
    smash(gadget_loud);
    return 0;
}
