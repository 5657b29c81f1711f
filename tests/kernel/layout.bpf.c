// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Makes the compiler describe the enums of the contract, which no structure of it mentions by type. */
#include "../../bpf/record.h"

struct {
	enum target_action action;
	enum record_kind kind;
	enum counter counter;
} enums;
