/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenAMP's demo firmwares, which share the channel name "rpmsg-openamp-demo-channel":
 *
 * openamp-demo	echo test and flood ping: every message comes back as it is, until the shutdown
 *		word comes, a u32 in the link's byte order; the firmware then destroys its endpoint
 * matrix	two 6x6 matrices in, each a u32 size and 36 u32 row by row; their product out
 */
#include "remote/services/kinds.h"

#include <errno.h>

#define SHUTDOWN_WORD 0xef56a55aU
#define SHUTDOWN_SIZE 4

#define MATRIX_MAX 6U
#define MATRIX_BYTES (4U + 4U * MATRIX_MAX * MATRIX_MAX)

static int openamp_demo_message(struct service *service, const struct rpmsg_hdr *hdr,
				const uint8_t *payload, uint32_t size)
{
	if (size == SHUTDOWN_SIZE && wire_get32(payload, service_order(service)) == SHUTDOWN_WORD) {
		service_retire(service);
		return 0;
	}
	return services_answer(service, hdr->src, payload, size);
}

static const uint8_t *element(const uint8_t *matrix, uint32_t row, uint32_t column)
{
	return matrix + 4 + 4 * (size_t)(row * MATRIX_MAX + column);
}

static int matrix_message(struct service *service, const struct rpmsg_hdr *hdr,
			  const uint8_t *payload, uint32_t size)
{
	enum wire_order order = service_order(service);
	const uint8_t *left = payload, *right = payload + MATRIX_BYTES;
	uint8_t *product = service_buffer(service);
	uint32_t rows;

	if (size == SHUTDOWN_SIZE)
		return openamp_demo_message(service, hdr, payload, size);
	if (size != 2 * MATRIX_BYTES)
		return -EINVAL;
	rows = wire_get32(left, order);
	if (rows > MATRIX_MAX || wire_get32(right, order) != rows)
		return -EINVAL;

	memset(product, 0, MATRIX_BYTES);
	wire_put32(product, rows, order);
	for (uint32_t row = 0; row < rows; row++) {
		for (uint32_t column = 0; column < rows; column++) {
			uint32_t sum = 0;

			for (uint32_t i = 0; i < rows; i++)
				sum += wire_get32(element(left, row, i), order) *
				       wire_get32(element(right, i, column), order);
			wire_put32(product + (element(left, row, column) - left), sum, order);
		}
	}
	return services_answer(service, hdr->src, product, MATRIX_BYTES);
}

const struct service_kind service_openamp_demo = {
	.name = "openamp-demo",
	.summary = "echo and flood ping of OpenAMP's demos, until the shutdown word comes",
	.channels = {"rpmsg-openamp-demo-channel"},
	.message = openamp_demo_message,
};

const struct service_kind service_matrix = {
	.name = "matrix",
	.summary = "multiplies two 6x6 matrices, as OpenAMP's demo does",
	.message = matrix_message,
};
