/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ST's shared data buffers, peer of rpmsg_sdb: the host names each large buffer with the text
 * "B<number>A<address>L<length>", number decimal, the others eight hexadecimal digits. A
 * firmware that has filled one says "B<number>L<length>". This one touches no such memory and
 * says at once that the buffer is full.
 */
#include "remote/services/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SDB_TEXT_MAX 64

static int sdb_message(struct service *service, const struct rpmsg_hdr *hdr, const uint8_t *payload,
		       uint32_t size)
{
	char text[SDB_TEXT_MAX + 1], answer[SDB_TEXT_MAX];
	unsigned int number, address, length;
	int end = 0, answer_size;

	if (size > SDB_TEXT_MAX)
		return -EMSGSIZE;
	memcpy(text, payload, size);
	text[size] = '\0';
	/* NOLINTNEXTLINE(cert-err34-c): the widths leave no number that does not fit */
	if (sscanf(text, "B%9uA%8xL%8x%n", &number, &address, &length, &end) != 3 ||
	    text[end] != '\0')
		return -EINVAL;
	answer_size = snprintf(answer, sizeof(answer), "B%uL%08x", number, length);
	return services_answer(service, hdr->src, answer, (uint32_t)answer_size);
}

const struct service_kind service_st_sdb = {
	.name = "st-sdb",
	.summary = "says of each large buffer that it is full, as ST's shared data buffers do",
	.channels = {"rpmsg-sdb-channel"},
	.message = sdb_message,
};
