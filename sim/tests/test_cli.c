/* SPDX-License-Identifier: BSD-2-Clause */
/* What the command lines of the programs have in common. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "cli/cli.h"

static const struct cli_option table[] = {
	{.name = "count", .value = "N", .letter = 'c', .help = "so many"},
	{.name = "list", .value = "json", .optional = true, .help = "print a list"},
	{.name = "more", .value = "WORD", .repeatable = true, .help = "may be given again"},
	{.name = "quiet", .help = "say nothing"},
};

#define ARGS_MAX 8

struct fixture {
	struct cli cli;
	char *argv[ARGS_MAX], words[ARGS_MAX][16];
	char error[200];
	const struct cli_option *option;
	const char *value;
};

/* The command line "program WORD...", the last word followed by NULL. */
static void begin(struct fixture *fixture, ...)
{
	va_list words;
	const char *word;

	*fixture = (struct fixture){0};
	fixture->cli = (struct cli){
		.options = table,
		.option_count = sizeof(table) / sizeof(table[0]),
		.argv = fixture->argv,
		.argc = 1,
		.at = 1,
		.error = {.text = fixture->error, .size = sizeof(fixture->error)},
	};
	va_start(words, fixture);
	while ((word = va_arg(words, const char *))) {
		int at = fixture->cli.argc++;

		snprintf(fixture->words[at], sizeof(fixture->words[at]), "%s", word);
		fixture->argv[at] = fixture->words[at];
	}
	va_end(words);
}

static int next_option(struct fixture *fixture)
{
	return cli_next_option(&fixture->cli, &fixture->option, &fixture->value);
}

/* Each way to write an option, and where the command line is then. */
static void test_cli_option_takes_its_value_in_any_form(void **state)
{
	static const char *const forms[][2] = {
		{"--count=5", NULL}, {"--count", "5"}, {"-c5", NULL}, {"-c", "5"}};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct fixture fixture;

		begin(&fixture, forms[i][0], forms[i][1], NULL);
		assert_int_equal(next_option(&fixture), 0);
		assert_ptr_equal(fixture.option, &table[0]);
		assert_string_equal(fixture.value, "5");
		assert_int_equal(fixture.cli.at, fixture.cli.argc);
	}
}

static void test_cli_value_may_be_empty_or_begin_with_a_dash(void **state)
{
	struct fixture fixture;

	begin(&fixture, "--count=", "--count", "--list", NULL);
	assert_int_equal(next_option(&fixture), 0);
	assert_string_equal(fixture.value, "");
	assert_int_equal(next_option(&fixture), 0);
	assert_string_equal(fixture.value, "--list");
}

static void test_cli_optional_value_stands_behind_an_equals_sign_only(void **state)
{
	struct fixture fixture;

	begin(&fixture, "--list", "--list=json", NULL);
	assert_int_equal(next_option(&fixture), 0);
	assert_null(fixture.value);
	assert_int_equal(fixture.cli.at, 2);
	assert_int_equal(next_option(&fixture), 0);
	assert_string_equal(fixture.value, "json");
}

static void test_cli_wrong_option_is_refused_by_name(void **state)
{
	static const struct {
		const char *arg;
		const char *complaint;
	} wrong[] = {
		{"--nothing", "unknown option --nothing: see --help"},
		{"--nothing=5", "unknown option --nothing: see --help"},
		{"--coun", "unknown option --coun: see --help"},
		{"--", "unknown option --: see --help"},
		{"-x", "unknown option -x: see --help"},
		{"-xc", "unknown option -x: see --help"},
		{"--quiet=1", "--quiet takes no value"},
		{"--count", "--count needs a value: N"},
		{"-c", "--count needs a value: N"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct fixture fixture;

		begin(&fixture, wrong[i].arg, NULL);
		assert_int_equal(next_option(&fixture), -EINVAL);
		assert_string_equal(fixture.error, wrong[i].complaint);
	}
}

static void test_cli_option_given_twice_is_refused_unless_repeatable(void **state)
{
	struct fixture fixture;
	uint64_t given = 0;

	begin(&fixture, (const char *)NULL);
	assert_false(cli_given(&fixture.cli, "quiet", given));
	assert_int_equal(cli_once(&fixture.cli, &table[3], &given), 0);
	assert_true(cli_given(&fixture.cli, "quiet", given));
	assert_false(cli_given(&fixture.cli, "more", given));
	assert_int_equal(cli_once(&fixture.cli, &table[3], &given), -EINVAL);
	assert_string_equal(fixture.error, "--quiet is given twice: give it once");
	assert_int_equal(cli_once(&fixture.cli, &table[2], &given), 0);
	assert_int_equal(cli_once(&fixture.cli, &table[2], &given), 0);
}

static void test_cli_number_is_decimal_or_hexadecimal(void **state)
{
	static const struct {
		const char *text;
		uint64_t number;
	} good[] = {{"0", 0},	   {"010", 10}, {"0x1f", 31},
		    {"0XfF", 255}, {"0xa", 10}, {"18446744073709551615", UINT64_MAX}};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t number = 1;

		assert_true(cli_number(good[i].text, UINT64_MAX, &number));
		assert_int_equal(number, good[i].number);
	}
}

static void test_cli_number_refuses_all_else(void **state)
{
	static const char *const wrong[] = {"",
					    " 1",
					    "1 ",
					    "-1",
					    "+1",
					    "1x",
					    "0x",
					    "0x-1",
					    "0x 1",
					    "0xg",
					    "f",
					    "1.5",
					    "18446744073709551616"};
	uint64_t number;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(cli_number(wrong[i], UINT64_MAX, &number));
	assert_true(cli_number("7", 7, &number));
	assert_false(cli_number("8", 7, &number));
}

static void test_cli_seconds_are_a_plain_number(void **state)
{
	static const char *const wrong[] = {"", ".", "nan", "inf", "-1", "+1", " 1", "1s", "1e999"};
	double seconds;

	assert_true(cli_seconds("0.25", &seconds));
	assert_true(seconds == 0.25);
	assert_true(cli_seconds(".5", &seconds));
	assert_true(seconds == 0.5);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(cli_seconds(wrong[i], &seconds));
}

static void test_cli_socket_path_has_to_fit(void **state)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	struct fixture fixture;
	char path[200] = "";

	begin(&fixture, (const char *)NULL);
	assert_int_equal(cli_socket_path(&fixture.cli, &table[0], path), -EINVAL);
	assert_string_equal(fixture.error, "--count: the path is empty");
	memset(path, 'a', max);
	assert_int_equal(cli_socket_path(&fixture.cli, &table[0], path), 0);
	path[max] = 'a';
	assert_int_equal(cli_socket_path(&fixture.cli, &table[0], path), -EINVAL);
	assert_non_null(strstr(fixture.error, "108 bytes long, a unix socket's has at most 107"));
}

/* What print() writes, to be freed. */
static char *printed(void (*print)(FILE *out))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	print(out);
	fclose(out);
	return text;
}

static void print_long_text(FILE *out)
{
	cli_print_row(out, "  --name",
		      "one two three four five six seven eight nine ten eleven twelve");
}

static void test_cli_help_is_wrapped_at_80_columns(void **state)
{
	char *text = printed(print_long_text);

	assert_string_equal(
		text,
		"  --name                one two three four five six seven eight nine ten eleven\n"
		"                        twelve\n");
	free(text);
}

static void print_long_name(FILE *out)
{
	cli_print_row(out, "  --a-name-of-24-columns", "text");
}

static void test_cli_long_name_has_a_line_of_its_own(void **state)
{
	char *text = printed(print_long_name);

	assert_string_equal(text, "  --a-name-of-24-columns\n                        text\n");
	free(text);
}

static void print_table(FILE *out)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		cli_print_option(out, &table[i]);
}

static void test_cli_help_shows_how_each_option_is_written(void **state)
{
	char *text = printed(print_table);

	assert_string_equal(text, "  -c, --count N         so many\n"
				  "  --list[=json]         print a list\n"
				  "  --more WORD           may be given again\n"
				  "  --quiet               say nothing\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cli_option_takes_its_value_in_any_form),
		cmocka_unit_test(test_cli_value_may_be_empty_or_begin_with_a_dash),
		cmocka_unit_test(test_cli_optional_value_stands_behind_an_equals_sign_only),
		cmocka_unit_test(test_cli_wrong_option_is_refused_by_name),
		cmocka_unit_test(test_cli_option_given_twice_is_refused_unless_repeatable),
		cmocka_unit_test(test_cli_number_is_decimal_or_hexadecimal),
		cmocka_unit_test(test_cli_number_refuses_all_else),
		cmocka_unit_test(test_cli_seconds_are_a_plain_number),
		cmocka_unit_test(test_cli_socket_path_has_to_fit),
		cmocka_unit_test(test_cli_help_is_wrapped_at_80_columns),
		cmocka_unit_test(test_cli_long_name_has_a_line_of_its_own),
		cmocka_unit_test(test_cli_help_shows_how_each_option_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
