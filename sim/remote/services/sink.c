/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/services/kinds.h"

/* Taking a message is all there is to do; the endpoint counts it. */
const struct service_kind service_sink = {
	.name = "sink",
	.summary = "takes all messages and answers none",
};
