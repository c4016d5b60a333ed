/* SPDX-License-Identifier: MIT */
/* The moves of an attacker that can overwrite a return address. */
#ifndef USER_SMASH_H
#define USER_SMASH_H

#define GADGET_STATUS 66

/* Overwrite the function's own return address with to, and return there. */
void smash(void (*to)(void));
/* Where attacks lead: the process exits with GADGET_STATUS; gadget_loud() says so first. */
void gadget(void);
void gadget_loud(void);

#endif
