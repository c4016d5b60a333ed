/* SPDX-License-Identifier: MIT */
/* Pagers outlive address spaces. Private to mm/. */
#ifndef MM_PAGER_H
#define MM_PAGER_H

#include "mm/mm.h"

/* mm, which has no users any more, is nobody's from now on. */
void pagers_forget(struct mm *mm);

#endif
