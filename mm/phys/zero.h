/* SPDX-License-Identifier: MIT */
/* The one zero page that every clean anonymous page shares. Private to mm/. */
#ifndef MM_ZERO_H
#define MM_ZERO_H

#include "mm/phys/frame.h"

/* The frame; it stays all zero and always holds one reference of its own, so that nobody is its
 * last owner. */
struct frame *zero_frame(void);

#endif
