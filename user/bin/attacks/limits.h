/* SPDX-License-Identifier: MIT */
#ifndef USER_ATTACKS_LIMITS_H
#define USER_ATTACKS_LIMITS_H

/* Show what a shadow stack does not stop. 0: all of it worked, as expected. */
int limits_show(void);

#endif
