/* SPDX-License-Identifier: MIT */
/* What this kernel calls itself: told by the first line of the log and by uname(2). */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define PENUMBRA_VERSION "0.9.0"

#endif
