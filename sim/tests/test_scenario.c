/* SPDX-License-Identifier: BSD-2-Clause */
/* scenario_parse() on bytes in memory: what it makes of them, and that nothing makes it fall over.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/scenario.h"
#include "wire/random.h"

#define NAME "name.yaml"
#define MAX_BYTES 8192

/* In memory of exactly that size, so that a sanitizer sees who reads beyond. */
static int parse(const void *bytes, size_t size, struct scenario **scenario,
		 struct scenario_error *error)
{
	char *copy = malloc(size ? size : 1);
	int ret;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	*scenario = NULL;
	ret = scenario_parse(copy, size, NAME, scenario, error);
	free(copy);
	return ret;
}

/* Whatever it is: a scenario, or one line that begins with the name of the file. */
static bool parse_anything(const void *bytes, size_t size)
{
	struct scenario *scenario;
	struct scenario_error error;
	int ret = parse(bytes, size, &scenario, &error);

	if (ret == 0) {
		assert_non_null(scenario);
		scenario_free(scenario);
		return true;
	}
	assert_int_equal(ret, -EINVAL);
	assert_null(scenario);
	assert_int_equal(strncmp(error.text, NAME ":", strlen(NAME) + 1), 0);
	assert_null(strchr(error.text, '\n'));
	return false;
}

static void test_scenario_steps_are_in_the_order_of_their_doing(void **state)
{
	static const char text[] = "faults: [{name: hdr-flags, when: {messages: 3}}]\n"
				   "services: [{name: b}, {name: a, addr: 9, count: 2}]\n"
				   "hold: [{queue: 1}]\n";
	static const char *const methods[] = {"configure", "announce", "announce", "hold",
					      "fault_set"};
	struct scenario *scenario;
	struct scenario_error error;

	assert_int_equal(parse(text, sizeof(text) - 1, &scenario, &error), 0);
	assert_int_equal(scenario->step_count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(scenario->steps[i].method->name, methods[i]);
	assert_int_equal(scenario->steps[1].instances, 2);
	assert_true(scenario->steps[4].when.on_event);
	assert_int_equal(scenario->steps[4].when.event.type, EVENT_MESSAGE);
	assert_int_equal(scenario->steps[4].when.count, 3);
	scenario_free(scenario);
}

static void test_scenario_error_says_line_and_key(void **state)
{
	static const char text[] = "services:\n  - name: a\n    kind: ekko\n";
	struct scenario *scenario;
	struct scenario_error error;

	assert_int_equal(parse(text, sizeof(text) - 1, &scenario, &error), -EINVAL);
	assert_int_equal(error.line, 3);
	assert_string_equal(error.key, "services[0].kind");
}

/* ---- bytes that nobody meant ------------------------------------------------------------ */

static void each_example(void (*with)(const uint8_t *bytes, size_t size))
{
	DIR *folder = opendir(SCENARIOS);
	const struct dirent *entry;
	static uint8_t bytes[MAX_BYTES];
	unsigned int count = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder)) != NULL) {
		const char *ending = strrchr(entry->d_name, '.');
		char path[512];
		FILE *file;
		size_t size;

		if (!ending || strcmp(ending, ".yaml") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", SCENARIOS, entry->d_name);
		file = fopen(path, "rb");
		assert_non_null(file);
		size = fread(bytes, 1, sizeof(bytes), file);
		fclose(file);
		assert_in_range(size, 1, sizeof(bytes) - 1);
		with(bytes, size);
		count++;
	}
	closedir(folder);
	assert_true(count >= 12);
}

static void parse_whole(const uint8_t *bytes, size_t size)
{
	assert_true(parse_anything(bytes, size));
}

static void test_scenario_takes_every_example(void **state)
{
	each_example(parse_whole);
}

static void cut_off(const uint8_t *bytes, size_t size)
{
	for (size_t length = 0; length < size; length += 13)
		parse_anything(bytes, length);
}

static void test_scenario_survives_every_end(void **state)
{
	each_example(cut_off);
}

static struct random chance;

static void damage(const uint8_t *bytes, size_t size)
{
	static const char marks[] = "{}[]:,-&*!|>'\"#%@`?~ \n\t\0\xff";
	static uint8_t copy[MAX_BYTES];

	for (int round = 0; round < 60; round++) {
		memcpy(copy, bytes, size);
		for (int i = 0; i <= round % 3; i++)
			copy[random_below(&chance, (uint32_t)size)] =
				(uint8_t)marks[random_below(&chance, sizeof(marks) - 1)];
		parse_anything(copy, size);
	}
}

static void test_scenario_survives_any_byte(void **state)
{
	random_init(&chance, 1, 0);
	each_example(damage);
}

static void test_scenario_is_no_mapping(void **state)
{
	static const char *const texts[] = {"", " ", "x", "[]", "- a", "---", "~", "\0", "%YAML 9"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(parse_anything(texts[i], strlen(texts[i]) + (i == 7)));
	assert_true(parse_anything("{}", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenario_steps_are_in_the_order_of_their_doing),
		cmocka_unit_test(test_scenario_error_says_line_and_key),
		cmocka_unit_test(test_scenario_takes_every_example),
		cmocka_unit_test(test_scenario_survives_every_end),
		cmocka_unit_test(test_scenario_survives_any_byte),
		cmocka_unit_test(test_scenario_is_no_mapping),
	};

	return cmocka_run_group_tests_name("scenario", tests, NULL, NULL);
}
