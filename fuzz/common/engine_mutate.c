/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutation of operation lists for libFuzzer. Only in targets that have a schema: an engine
 * that finds these two uses nothing else.
 */
#include "common/mutate.h"
#include "common/target.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
				 size_t two_size, uint8_t *to, size_t max_size, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	return mutate(fuzz_target.schema, data, size, max_size, seed, LLVMFuzzerMutate);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
				 size_t two_size, uint8_t *to, size_t max_size, unsigned int seed)
{
	return mutate_cross(fuzz_target.schema, one, one_size, two, two_size, to, max_size, seed);
}
