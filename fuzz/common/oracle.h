/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules whose breach ends a fuzz target, in every build: assert() goes with NDEBUG, these stay.
 */
#ifndef FUZZ_COMMON_ORACLE_H
#define FUZZ_COMMON_ORACLE_H

#include <stdbool.h>

/**
 * oracle_failed() - say which rule was broken, and abort
 * @rule: name of the rule; regress files are named after it
 * @file: source file
 * @line: line
 * @format: what was found, as printf
 */
_Noreturn void oracle_failed(const char *rule, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Ends the process unless a condition holds; the rest is printf's. */
#define ORACLE(rule, condition, ...)                                                               \
	do {                                                                                       \
		if (!(condition))                                                                  \
			oracle_failed(rule, __FILE__, __LINE__, __VA_ARGS__);                      \
	} while (0)

#endif /* FUZZ_COMMON_ORACLE_H */
