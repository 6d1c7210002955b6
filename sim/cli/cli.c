/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

int cli_refuse(const struct cli_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, error->size, format, args);
	va_end(args);
	return -EINVAL;
}

/* ---- options ---------------------------------------------------------------------------- */

const struct cli_option *cli_find(const struct cli *cli, const char *name, size_t length)
{
	for (size_t i = 0; i < cli->option_count; i++) {
		const struct cli_option *option = &cli->options[i];

		if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
			return option;
	}
	return NULL;
}

static const struct cli_option *find_letter(const struct cli *cli, char letter)
{
	for (size_t i = 0; i < cli->option_count; i++) {
		if (letter != '\0' && cli->options[i].letter == letter)
			return &cli->options[i];
	}
	return NULL;
}

/* The option that an argument names, and the value that the argument itself has. */
static const struct cli_option *read_argument(const struct cli *cli, const char *arg,
					      const char **value)
{
	const struct cli_option *option;
	size_t length = 2;

	if (arg[1] == '-') {
		length += strcspn(arg + 2, "=");
		option = cli_find(cli, arg + 2, length - 2);
	} else {
		option = find_letter(cli, arg[1]);
	}
	if (!option)
		cli_refuse(&cli->error, "unknown option %.*s: see --help", (int)length, arg);
	else
		*value = arg[length] == '\0' ? NULL : arg + length + (arg[1] == '-');
	return option;
}

int cli_next_option(struct cli *cli, const struct cli_option **option, const char **value)
{
	const struct cli_option *found = read_argument(cli, cli->argv[cli->at++], value);

	if (!found)
		return -EINVAL;
	*option = found;
	if (*value && !found->value)
		return cli_refuse(&cli->error, "--%s takes no value", found->name);
	if (*value || !found->value || found->optional)
		return 0;
	if (cli->at >= cli->argc)
		return cli_refuse(&cli->error, "--%s needs a value: %s", found->name, found->value);
	*value = cli->argv[cli->at++];
	return 0;
}

static uint64_t option_bit(const struct cli *cli, const struct cli_option *option)
{
	return UINT64_C(1) << (option - cli->options);
}

int cli_once(struct cli *cli, const struct cli_option *option, uint64_t *given)
{
	uint64_t bit = option_bit(cli, option);

	if (*given & bit && !option->repeatable)
		return cli_refuse(&cli->error, "--%s is given twice: give it once", option->name);
	*given |= bit;
	return 0;
}

bool cli_given(const struct cli *cli, const char *name, uint64_t given)
{
	const struct cli_option *option = cli_find(cli, name, strlen(name));

	return option && given & option_bit(cli, option);
}

/* ---- values ----------------------------------------------------------------------------- */

bool cli_number(const char *text, uint64_t max, uint64_t *number)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *end;

	/* strtoull also takes signs and blanks. */
	if (*digits == '\0' || !strchr(hex ? "0123456789abcdefABCDEF" : "0123456789", *digits))
		return false;
	errno = 0;
	*number = strtoull(digits, &end, hex ? 16 : 10);
	return errno == 0 && *end == '\0' && *number <= max;
}

bool cli_seconds(const char *text, double *seconds)
{
	char *end;

	/* strtod also takes signs, blanks, "inf" and "nan". */
	if (*text == '\0' || !strchr("0123456789.", *text))
		return false;
	*seconds = strtod(text, &end);
	return end != text && *end == '\0' && isfinite(*seconds);
}

int cli_socket_path(struct cli *cli, const struct cli_option *option, const char *value)
{
	size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (*value == '\0')
		return cli_refuse(&cli->error, "--%s: the path is empty", option->name);
	if (strlen(value) > max)
		return cli_refuse(
			&cli->error,
			"--%s: the path is %zu bytes long, a unix socket's has at most %zu: "
			"use a shorter one, or one relative to the working directory",
			option->name, strlen(value), max);
	return 0;
}

/* ---- help ------------------------------------------------------------------------------- */

void cli_print_text(FILE *out, const char *text, size_t column)
{
	size_t length, at = column;

	for (; *text; text += length + (text[length] == ' ')) {
		length = strcspn(text, " ");
		if (at > column && at + 1 + length > CLI_WIDTH) {
			fprintf(out, "\n%*s", (int)column, "");
			at = column;
		}
		at += (size_t)fprintf(out, "%s%.*s", at > column ? " " : "", (int)length, text);
	}
	fputc('\n', out);
}

void cli_print_row(FILE *out, const char *name, const char *text)
{
	if (strlen(name) < CLI_COLUMN)
		fprintf(out, "%-*s", CLI_COLUMN, name);
	else
		fprintf(out, "%s\n%*s", name, CLI_COLUMN, "");
	cli_print_text(out, text, CLI_COLUMN);
}

void cli_print_option(FILE *out, const struct cli_option *option)
{
	char letter[] = {'-', option->letter, ',', ' ', '\0'};
	char name[80];

	snprintf(name, sizeof(name), "  %s--%s%s%s%s", option->letter ? letter : "", option->name,
		 !option->value	    ? ""
		 : option->optional ? "[="
				    : " ",
		 option->value ? option->value : "", option->value && option->optional ? "]" : "");
	cli_print_row(out, name, option->help);
}
