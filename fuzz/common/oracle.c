/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void oracle_failed(const char *rule, const char *file, int line, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s:%d: oracle %s: ", file, line, rule);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}
