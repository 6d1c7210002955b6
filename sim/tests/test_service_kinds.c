/* SPDX-License-Identifier: BSD-2-Clause */
/* What each kind of service answers, byte for byte, to a host that speaks to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/remote_host.h"

#define HOST_ADDR 0x401

static struct remote_host host;

static int setup(void **state)
{
	host_setup(&host, NULL);
	return 0;
}

static int teardown(void **state)
{
	host_expect_balance(&host);
	host_teardown(&host);
	return 0;
}

/* A service of a kind, and a host; the service's address. */
static uint32_t serve(const char *kind)
{
	uint32_t addr = host_service(&host, "service", kind, RPMSG_ADDR_ANY);

	host_attach(&host, HOST_WITHOUT_NS);
	return addr;
}

static void say(uint32_t addr, const void *payload, uint32_t size)
{
	host_send(&host, HOST_ADDR, addr, payload, size);
	host_run(&host);
}

static void expect_answer(uint32_t addr, const void *payload, uint32_t size)
{
	host_expect(&host, addr, HOST_ADDR, payload, size);
	host_expect_nothing(&host);
}

static void expect_text(uint32_t addr, const char *text)
{
	expect_answer(addr, text, (uint32_t)strlen(text));
}

static void expect_refused(void)
{
	host_expect_nothing(&host);
	assert_int_equal(remote_get_stats(host.remote)->dropped[REMOTE_DROP_SERVICE], 1);
}

static void put_u32(uint8_t *at, uint32_t value)
{
	wire_put32(at, value, host_order(&host));
}

static void test_service_kinds_have_distinct_names_and_summaries(void **state)
{
	const struct service_kind *kind;
	unsigned int count = 0;

	for (; (kind = service_kind_at(count)) != NULL; count++) {
		assert_ptr_equal(service_kind_find(kind->name), kind);
		assert_non_null(kind->summary);
		assert_int_not_equal(strlen(kind->summary), 0);
		assert_null(kind->channels[SERVICE_CHANNELS - 1]);
	}
	assert_true(count >= 15);
	assert_null(service_kind_find("no such kind"));
}

static void test_service_tty_sends_bytes_back(void **state)
{
	uint32_t addr = serve("tty");

	say(addr, "ls\r\n\0x", 6);
	expect_answer(addr, "ls\r\n\0x", 6);
}

static void test_service_tty_zephyr_puts_its_number_in_front(void **state)
{
	uint32_t second;

	host_service(&host, "rpmsg-tty", "tty-zephyr", RPMSG_ADDR_ANY);
	second = host_service(&host, "rpmsg-tty", "tty-zephyr", RPMSG_ADDR_ANY);
	host_attach(&host, HOST_WITHOUT_NS);
	say(second, "hi", 2);
	expect_text(second, "TTY 1: hi");
}

static void test_service_raw_names_the_sender(void **state)
{
	uint32_t addr = serve("raw");

	say(addr, "data", 4);
	expect_text(addr, "from ept 0x0401: data");
}

static void test_service_chrdev_sends_bytes_back(void **state)
{
	uint32_t addr = serve("chrdev");

	say(addr, "data", 4);
	expect_text(addr, "data");
}

static void test_service_openamp_demo_floods_back(void **state)
{
	uint32_t addr = serve("openamp-demo");
	uint8_t ping[RPMSG_MAX_PAYLOAD];

	memset(ping, 0xa5, sizeof(ping));
	for (uint64_t number = 0; number < 100; number++) {
		memcpy(ping, &number, sizeof(number));
		say(addr, ping, sizeof(ping));
		expect_answer(addr, ping, sizeof(ping));
		host_supply(&host, UINT32_MAX);
		host_reclaim_all(&host);
	}
}

static void test_service_openamp_demo_leaves_at_the_shutdown_word(void **state)
{
	uint32_t addr = serve("openamp-demo");
	uint8_t word[4];

	put_u32(word, 0xef56a55a);
	say(addr, word, sizeof(word));
	say(addr, "are you there?", 14);
	host_expect_nothing(&host);
	assert_int_equal(remote_get_stats(host.remote)->dropped[REMOTE_DROP_NO_ENDPOINT], 1);
}

static void test_service_openamp_demo_answers_other_words(void **state)
{
	uint32_t addr = serve("openamp-demo");
	uint8_t word[4];

	put_u32(word, 0xef56a55b);
	say(addr, word, sizeof(word));
	expect_answer(addr, word, sizeof(word));
}

static void put_matrix(uint8_t *at, uint32_t size, uint32_t (*value)(uint32_t, uint32_t))
{
	put_u32(at, size);
	for (uint32_t row = 0; row < 6; row++) {
		for (uint32_t column = 0; column < 6; column++)
			put_u32(at + 4 + 4 * (6 * (size_t)row + column), value(row, column));
	}
}

static uint32_t counting(uint32_t row, uint32_t column)
{
	return 6 * row + column;
}

static uint32_t twice_identity(uint32_t row, uint32_t column)
{
	return row == column ? 2 : 0;
}

static uint32_t doubled(uint32_t row, uint32_t column)
{
	return 2 * counting(row, column);
}

static void test_service_matrix_multiplies(void **state)
{
	uint32_t addr = serve("matrix");
	uint8_t factors[296], product[148];

	put_matrix(factors, 6, counting);
	put_matrix(factors + 148, 6, twice_identity);
	put_matrix(product, 6, doubled);
	say(addr, factors, sizeof(factors));
	expect_answer(addr, product, sizeof(product));
}

static void test_service_matrix_keeps_the_order_of_its_factors(void **state)
{
	uint32_t addr = serve("matrix");
	uint8_t factors[296] = {0}, product[148] = {0};

	/* [1 2; 3 4] * [0 1; 0 0] = [0 1; 0 3], in the corner of 6x6 fields */
	put_u32(factors, 2);
	put_u32(factors + 4, 1);
	put_u32(factors + 8, 2);
	put_u32(factors + 4 + 24, 3);
	put_u32(factors + 4 + 28, 4);
	put_u32(factors + 148, 2);
	put_u32(factors + 148 + 8, 1);
	put_u32(product, 2);
	put_u32(product + 8, 1);
	put_u32(product + 4 + 28, 3);
	say(addr, factors, sizeof(factors));
	expect_answer(addr, product, sizeof(product));
}

static void test_service_matrix_refuses_a_size_that_it_cannot_hold(void **state)
{
	uint32_t addr = serve("matrix");
	uint8_t factors[296] = {0};

	put_u32(factors, 7);
	put_u32(factors + 148, 7);
	say(addr, factors, sizeof(factors));
	expect_refused();
}

static void test_service_matrix_refuses_another_length(void **state)
{
	uint32_t addr = serve("matrix");
	uint8_t factors[295] = {0};

	say(addr, factors, sizeof(factors));
	expect_refused();
}

static void test_service_nxp_pingpong_lives_at_30(void **state)
{
	assert_int_equal(serve("nxp-pingpong"), 30);
}

static void test_service_second_at_a_usual_address_gets_a_dynamic_one(void **state)
{
	host_service(&host, "service", "nxp-pingpong", RPMSG_ADDR_ANY);
	assert_int_equal(host_service(&host, "service", "nxp-pingpong", RPMSG_ADDR_ANY),
			 RPMSG_ADDR_FIRST_DYNAMIC);
}

static void test_service_nxp_pingpong_increments(void **state)
{
	uint32_t addr = serve("nxp-pingpong");
	uint8_t sent[4], answer[4];

	put_u32(sent, 99);
	put_u32(answer, 100);
	say(addr, sent, sizeof(sent));
	expect_answer(addr, answer, sizeof(answer));
}

static void test_service_nxp_pingpong_stops_at_100(void **state)
{
	uint32_t addr = serve("nxp-pingpong");
	uint8_t sent[4];

	put_u32(sent, 100);
	say(addr, sent, sizeof(sent));
	host_expect_nothing(&host);
}

static void test_service_nxp_pingpong_takes_the_greeting_silently(void **state)
{
	uint32_t addr = serve("nxp-pingpong");

	say(addr, "hello world!", 12);
	host_expect_nothing(&host);
	assert_int_equal(remote_get_stats(host.remote)->delivered, 1);
}

static void test_service_nxp_str_echo_cuts_at_256(void **state)
{
	uint32_t addr = serve("nxp-str-echo");
	uint8_t text[300];

	memset(text, 'x', sizeof(text));
	text[256] = 'y';
	say(addr, text, sizeof(text));
	host_expect(&host, addr, HOST_ADDR, text, 256);
	expect_answer(addr, text + 256, 44);
}

static void test_service_ti_pingpong_lives_at_13_and_sends_back(void **state)
{
	uint32_t addr = serve("ti-pingpong");

	assert_int_equal(addr, 13);
	say(addr, "ping 1", 6);
	expect_text(addr, "ping 1");
}

static void test_service_st_sdb_says_that_the_buffer_is_full(void **state)
{
	uint32_t addr = serve("st-sdb");

	say(addr, "B3A4000f000L00100000", 20);
	expect_text(addr, "B3L00100000");
}

static void test_service_st_sdb_refuses_trailing_bytes(void **state)
{
	uint32_t addr = serve("st-sdb");

	say(addr, "B3A4000f000L00100000!", 21);
	expect_refused();
}

static void test_service_st_sdb_refuses_a_text_that_is_too_long(void **state)
{
	uint32_t addr = serve("st-sdb");
	uint8_t text[65];

	memset(text, '1', sizeof(text));
	say(addr, text, sizeof(text));
	expect_refused();
}

/* A ping of a command, with data bytes of one value. */
static uint32_t make_ping(uint8_t *at, uint32_t command, uint8_t value, uint32_t data)
{
	put_u32(at, command);
	put_u32(at + 4, 16 + data);
	memcpy(at + 8, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	memset(at + 16, value, data);
	return 16 + data;
}

static void test_service_nuttx_ping_answers_with_the_cookie_untouched(void **state)
{
	uint32_t addr = serve("nuttx-ping");
	uint8_t ping[64], ack[64];
	uint32_t size = make_ping(ping, 1, 7, 40);

	make_ping(ack, 4, 7, 40);
	say(addr, ping, size);
	expect_answer(addr, ack, size);
}

static void test_service_nuttx_ping_without_ack_is_silent(void **state)
{
	uint32_t addr = serve("nuttx-ping");
	uint8_t ping[64];

	say(addr, ping, make_ping(ping, 3, 7, 8));
	host_expect_nothing(&host);
	assert_int_equal(remote_get_stats(host.remote)->delivered, 1);
}

static void test_service_nuttx_ping_checks_the_pattern(void **state)
{
	uint32_t addr = serve("nuttx-ping");
	uint8_t ping[64], ack[64];
	uint32_t size = make_ping(ping, 2, 0xee, 8);

	make_ping(ack, 4, 0xee, 8);
	say(addr, ping, size);
	expect_answer(addr, ack, size);
	ping[16 + 7] = 0xef;
	say(addr, ping, size);
	expect_refused();
}

static void test_service_nuttx_ping_refuses_a_length_above_the_message(void **state)
{
	uint32_t addr = serve("nuttx-ping");
	uint8_t ping[64];
	uint32_t size = make_ping(ping, 1, 7, 8);

	put_u32(ping + 4, size + 1);
	say(addr, ping, size);
	expect_refused();
}

static void test_service_answers_nobody_at_any(void **state)
{
	uint32_t addr = serve("echo");

	host_send(&host, RPMSG_ADDR_ANY, addr, "who am I?", 9);
	host_run(&host);
	expect_refused();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_service_kinds_have_distinct_names_and_summaries),
		TEST(test_service_tty_sends_bytes_back),
		TEST(test_service_tty_zephyr_puts_its_number_in_front),
		TEST(test_service_raw_names_the_sender),
		TEST(test_service_chrdev_sends_bytes_back),
		TEST(test_service_openamp_demo_floods_back),
		TEST(test_service_openamp_demo_leaves_at_the_shutdown_word),
		TEST(test_service_openamp_demo_answers_other_words),
		TEST(test_service_matrix_multiplies),
		TEST(test_service_matrix_keeps_the_order_of_its_factors),
		TEST(test_service_matrix_refuses_a_size_that_it_cannot_hold),
		TEST(test_service_matrix_refuses_another_length),
		TEST(test_service_nxp_pingpong_lives_at_30),
		TEST(test_service_second_at_a_usual_address_gets_a_dynamic_one),
		TEST(test_service_nxp_pingpong_increments),
		TEST(test_service_nxp_pingpong_stops_at_100),
		TEST(test_service_nxp_pingpong_takes_the_greeting_silently),
		TEST(test_service_nxp_str_echo_cuts_at_256),
		TEST(test_service_ti_pingpong_lives_at_13_and_sends_back),
		TEST(test_service_st_sdb_says_that_the_buffer_is_full),
		TEST(test_service_st_sdb_refuses_trailing_bytes),
		TEST(test_service_st_sdb_refuses_a_text_that_is_too_long),
		TEST(test_service_nuttx_ping_answers_with_the_cookie_untouched),
		TEST(test_service_nuttx_ping_without_ack_is_silent),
		TEST(test_service_nuttx_ping_checks_the_pattern),
		TEST(test_service_nuttx_ping_refuses_a_length_above_the_message),
		TEST(test_service_answers_nobody_at_any),
	};

	return cmocka_run_group_tests_name("service_kinds", tests, NULL, NULL);
}
