/* SPDX-License-Identifier: BSD-2-Clause */
/* Dialects: what each offers, how its configuration space looks, and how it differs on the wire. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "remote/profile.h"
#include "support/remote_host.h"
#include "support/wire_view.h"

#define INPUT RPMSG_QUEUE_INPUT
#define OUTPUT RPMSG_QUEUE_OUTPUT
#define HOST_ADDR 500

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct remote_host host;

/* ---- tables ------------------------------------------------------------------------------- */

static void test_profile_list_is_that_of_the_field(void **state)
{
	static const char *const names[] = {"linux", "linux-bufsz", "openamp-bufsz",
					    "nuttx", "rpmsg-lite",  "openamp"};

	for (unsigned int i = 0; i < COUNT(names); i++) {
		assert_ptr_equal(profile_find(names[i]), profile_at(i));
		assert_string_equal(profile_at(i)->name, names[i]);
		assert_true(strlen(profile_at(i)->summary) > 10);
	}
	assert_null(profile_at(COUNT(names)));
	assert_null(profile_find("windows"));
}

static void test_profile_offers_its_bits(void **state)
{
	const uint64_t modern = VIRTIO_BIT(0) | VIRTIO_BIT(32);
	const uint64_t rings = VIRTIO_BIT(28) | VIRTIO_BIT(29);

	assert_true(profile_find("linux")->features == (modern | rings));
	assert_true(profile_find("linux-bufsz")->features == (modern | rings | VIRTIO_BIT(1)));
	assert_true(profile_find("openamp-bufsz")->features == (modern | VIRTIO_BIT(1)));
	assert_true(profile_find("nuttx")->features ==
		    (modern | VIRTIO_BIT(1) | VIRTIO_BIT(2) | VIRTIO_BIT(3)));
	assert_true(profile_find("rpmsg-lite")->features == modern);
	assert_true(profile_find("openamp")->features == modern);
	assert_true(remote_default_features() == (modern | rings));
}

static void test_profile_features_have_names_and_numbers(void **state)
{
	unsigned int bit, i;

	assert_int_equal(feature_bit("ns"), 0);
	assert_int_equal(feature_bit("bufsz"), 1);
	assert_int_equal(feature_bit("nuttx-ack"), 1);
	assert_int_equal(feature_bit("event-idx"), 29);
	assert_int_equal(feature_bit("version-1"), 32);
	assert_int_equal(feature_bit("0"), 0);
	assert_int_equal(feature_bit("63"), 63);
	assert_int_equal(feature_bit("64"), -ENOENT);
	assert_int_equal(feature_bit("99999999999999999999"), -ENOENT);
	assert_int_equal(feature_bit("-1"), -ENOENT);
	assert_int_equal(feature_bit(""), -ENOENT);
	assert_int_equal(feature_bit("bogus"), -ENOENT);
	for (i = 0; feature_at(i, &bit) != NULL; i++)
		assert_int_equal(feature_bit(feature_at(i, &bit)), bit);
	assert_true(i > 8);
}

/* ---- layouts ------------------------------------------------------------------------------ */

#define TO_HOST 0x00012345
#define TO_REMOTE 0x00054321

static void expect_layout(const char *name, const void *bytes, uint32_t size)
{
	const struct config_layout *layout = config_layout_find(name);
	uint8_t filled[CONFIG_MAX_SIZE];
	uint32_t to_host, to_remote;

	assert_non_null(layout);
	assert_int_equal(layout->size, size);
	memset(filled, 0xee, sizeof(filled));
	config_layout_fill(layout, TO_HOST, TO_REMOTE, filled);
	assert_memory_equal(filled, bytes, size);
	for (uint32_t i = size; i < sizeof(filled); i++)
		assert_int_equal(filled[i], 0);
	assert_int_equal(config_layout_read(layout, filled, &to_host, &to_remote), 0);
	assert_int_equal(to_host, TO_HOST);
	assert_int_equal(to_remote, TO_REMOTE);
}

static void test_profile_layout_of_linux_has_the_size_to_the_host_first(void **state)
{
	expect_layout("linux", "\x01\x0b\x00\x45\x23\x01\x00\x21\x43\x05\x00", 11);
}

static void test_profile_layout_of_openamp_has_the_size_to_the_remote_first(void **state)
{
	expect_layout("openamp", "\x01\x0b\x00\x21\x43\x05\x00\x45\x23\x01\x00", 11);
}

static void test_profile_layout_with_alignment_has_13_bytes(void **state)
{
	expect_layout("linux-aligned", "\x01\x0d\x00\x04\x00\x45\x23\x01\x00\x21\x43\x05\x00", 13);
}

static void test_profile_layout_of_nuttx_has_names_at_24(void **state)
{
	uint8_t bytes[64] = {0x21, 0x43, 0x05, 0, 0x45, 0x23, 0x01, 0};

	strcpy((char *)bytes + 24, "host");
	strcpy((char *)bytes + 32, "remote");
	expect_layout("nuttx", bytes, sizeof(bytes));
}

static void test_profile_old_layout_of_nuttx_has_names_at_8(void **state)
{
	uint8_t bytes[64] = {0x21, 0x43, 0x05, 0, 0x45, 0x23, 0x01, 0};

	strcpy((char *)bytes + 8, "host");
	strcpy((char *)bytes + 16, "remote");
	expect_layout("nuttx-old", bytes, sizeof(bytes));
}

static void test_profile_layouts_lie_within_their_size(void **state)
{
	unsigned int i;

	for (i = 0; config_layout_at(i) != NULL; i++) {
		const struct config_layout *layout = config_layout_at(i);

		assert_ptr_equal(config_layout_find(layout->name), layout);
		assert_true(layout->size <= CONFIG_MAX_SIZE);
		for (const struct config_field *field = layout->fields; field->kind != CONFIG_NONE;
		     field++)
			assert_true(field->offset + field->width <= layout->size);
	}
	assert_int_equal(i, 5);
	assert_null(config_layout_find("none"));
}

static void test_profile_layout_that_is_wrong_is_refused(void **state)
{
	const struct config_layout *layout = config_layout_find("linux");
	uint8_t bytes[CONFIG_MAX_SIZE];
	uint32_t to_host, to_remote;

	config_layout_fill(layout, 512, 512, bytes);
	bytes[0] = 2;
	assert_int_equal(config_layout_read(layout, bytes, &to_host, &to_remote), -EINVAL);
	bytes[0] = 1;
	bytes[1] = 12;
	assert_int_equal(config_layout_read(layout, bytes, &to_host, &to_remote), -EINVAL);
	config_layout_fill(layout, 16, 512, bytes);
	assert_int_equal(config_layout_read(layout, bytes, &to_host, &to_remote), -ERANGE);
	config_layout_fill(layout, 17, (1 << 20) + 1, bytes);
	assert_int_equal(config_layout_read(layout, bytes, &to_host, &to_remote), -ERANGE);
	config_layout_fill(layout, 17, 1 << 20, bytes);
	assert_int_equal(config_layout_read(layout, bytes, &to_host, &to_remote), 0);
}

/* ---- a remote of a profile ---------------------------------------------------------------- */

static void start_with(struct host_options options, const char *profile)
{
	options.config.profile = profile_find(profile);
	assert_non_null(options.config.profile);
	host_setup(&host, &options);
}

static void start(const char *profile)
{
	start_with((struct host_options){0}, profile);
}

static int teardown(void **state)
{
	host_expect_balance(&host);
	host_teardown(&host);
	return 0;
}

static uint64_t all_features(void)
{
	return remote_offered_features(host.remote);
}

static void attach(void)
{
	host_attach(&host, all_features());
	host_run(&host);
	host_discard(&host);
	host_supply(&host, UINT32_MAX);
}

static void echo(uint32_t addr, const void *payload, uint32_t size)
{
	host_send(&host, HOST_ADDR, addr, payload, size);
	host_run(&host);
}

static void test_profile_linux_is_exact_and_clean(void **state)
{
	start("linux");
	assert_int_equal(remote_config_size(host.remote), 0);
	assert_int_equal(remote_buffer_size(host.remote, INPUT), 0);
	assert_int_equal(host_service(&host, "echo", "echo", RPMSG_ADDR_ANY), 1024);
	attach();
	echo(1024, "abc", 3);
	host_expect(&host, 1024, HOST_ADDR, "abc", 3);
	wire_expect_used(&host, OUTPUT, 0, 0, 0);
	assert_int_equal(host.calls[OUTPUT], 1);
}

static void test_profile_openamp_uses_whole_descriptors_on_both_queues(void **state)
{
	start("openamp");
	host_service(&host, "echo", "echo", 1024);
	host_attach(&host, all_features());
	host_run(&host);
	wire_expect_used(&host, INPUT, 0, 0, 512);
	echo(1024, "abc", 3);
	wire_expect_used(&host, INPUT, 1, 1, 512);
	wire_expect_used(&host, OUTPUT, 0, 0, 19);
	assert_int_equal(wire_get_le16(wire_buffer(&host, INPUT, 1) + 12), 3);
}

static void expect_addresses(uint32_t first, uint32_t count)
{
	uint32_t addr;

	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(host_service(&host, "s", "sink", RPMSG_ADDR_ANY), first + i);
	addr = RPMSG_ADDR_ANY;
	assert_int_equal(remote_announce(host.remote, "s", service_kind_find("sink"), NULL, &addr),
			 -ENOSPC);
	/* A static one beyond them is no dynamic one. */
	assert_int_equal(host_service(&host, "t", "sink", 5000), 5000);
	addr = first + 50;
	assert_int_equal(remote_withdraw(host.remote, "s", &addr), 0);
	assert_int_equal(host_service(&host, "s", "sink", RPMSG_ADDR_ANY), first + 50);
}

static void test_profile_openamp_has_128_addresses(void **state)
{
	start("openamp");
	expect_addresses(1024, 128);
}

static void test_profile_rpmsg_lite_gives_addresses_from_1_but_not_53(void **state)
{
	start("rpmsg-lite");
	for (uint32_t i = 1; i < 200; i++) {
		if (i != 53)
			assert_int_equal(host_service(&host, "s", "sink", RPMSG_ADDR_ANY), i);
	}
}

static void test_profile_rpmsg_lite_leaves_the_descriptor_in_reserved(void **state)
{
	start("rpmsg-lite");
	host_service(&host, "echo", "echo", 30);
	attach();
	for (uint32_t i = 1; i < 4; i++) {
		echo(30, "abc", 3);
		assert_int_equal(wire_get_le32(wire_buffer(&host, INPUT, i) + 8), i << 16);
		wire_expect_used(&host, INPUT, i, i, 512);
	}
}

static void test_profile_dirty_reserved_leaves_a_given_header_alone(void **state)
{
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2, .reserved = 7}};

	start("rpmsg-lite");
	attach();
	assert_int_equal(remote_send(host.remote, &message), 0);
	assert_int_equal(wire_get_le32(wire_buffer(&host, INPUT, 0) + 8), 7);
}

static void test_profile_rpmsg_lite_calls_for_queue_0_only(void **state)
{
	start("rpmsg-lite");
	host_service(&host, "echo", "echo", 30);
	attach();
	host.calls[INPUT] = 0;
	echo(30, "abc", 3);
	assert_int_equal(host.calls[INPUT], 1);
	assert_int_equal(host.calls[OUTPUT], 0);
	assert_int_equal(wire_used_idx(&host, OUTPUT), 1);
}

static void test_profile_announcements_are_whole_and_dirty_too(void **state)
{
	start("rpmsg-lite");
	host_service(&host, "a", "sink", 1);
	host_service(&host, "b", "sink", 2);
	host_attach(&host, all_features());
	host_run(&host);
	assert_int_equal(wire_get_le32(wire_buffer(&host, INPUT, 1) + 8), 1 << 16);
	wire_expect_used(&host, INPUT, 1, 1, 512);
	assert_string_equal((const char *)wire_buffer(&host, INPUT, 1) + 16, "b");
}

/* ---- NuttX's acknowledgement -------------------------------------------------------------- */

static void expect_ack(const char *name, uint32_t addr)
{
	static struct host_message message;
	uint8_t payload[RPMSG_NS_MSG_SIZE] = {0};

	strcpy((char *)payload, name);
	wire_put_le32(payload + 32, addr);
	wire_put_le32(payload + 36, 2);
	assert_true(host_receive(&host, &message));
	assert_int_equal(message.hdr.src, addr);
	assert_int_equal(message.hdr.dst, RPMSG_ADDR_NS);
	assert_int_equal(message.hdr.len, sizeof(payload));
	assert_memory_equal(message.payload, payload, sizeof(payload));
}

static void test_profile_nuttx_acknowledges_an_announcement(void **state)
{
	start("nuttx");
	host_service(&host, "echo", "echo", 1024);
	attach();
	host_send_ns(&host, "echo", 600, RPMSG_NS_CREATE);
	host_run(&host);
	expect_ack("echo", 1024);
	host_expect_nothing(&host);
	assert_int_equal(host_endpoint(&host, 1024).peer, 600);
	assert_int_equal(host.violation_count, 0);
}

static void test_profile_nuttx_learns_its_peer_from_an_acknowledgement(void **state)
{
	start("nuttx");
	host_service(&host, "echo", "echo", 1024);
	attach();
	host_send_ns(&host, "echo", 600, 2);
	host_run(&host);
	assert_int_equal(host_endpoint(&host, 1024).peer, 600);
	host_expect_nothing(&host);
	assert_int_equal(host.violation_count, 0);
}

static void test_profile_nuttx_acknowledges_a_peer_that_it_knows(void **state)
{
	start("nuttx");
	host_service(&host, "echo", "sink", 1024);
	attach();
	host_send(&host, 600, 1024, "x", 1);
	host_send_ns(&host, "echo", 600, RPMSG_NS_CREATE);
	host_run(&host);
	expect_ack("echo", 1024);
}

static void test_profile_nuttx_acknowledges_only_with_the_feature(void **state)
{
	start("nuttx");
	host_service(&host, "echo", "echo", 1024);
	host_attach(&host, all_features() & ~VIRTIO_BIT(1));
	host_run(&host);
	host_discard(&host);
	host_send_ns(&host, "echo", 600, RPMSG_NS_CREATE);
	host_send_ns(&host, "other", 601, 2);
	host_run(&host);
	host_expect_nothing(&host);
	assert_int_equal(host.violations[VIOLATION_NS_FLAGS], 1);
}

static void test_profile_nuttx_acknowledges_nothing_that_it_has_not(void **state)
{
	start("nuttx");
	attach();
	host_send_ns(&host, "other", 601, RPMSG_NS_CREATE);
	host_run(&host);
	host_expect_nothing(&host);
}

/* ---- sizes of buffers --------------------------------------------------------------------- */

static void expect_config(const void *bytes, uint32_t size)
{
	uint8_t read[CONFIG_MAX_SIZE];

	assert_int_equal(remote_config_size(host.remote), size);
	assert_int_equal(remote_config_read(host.remote, 0, size, read), 0);
	assert_memory_equal(read, bytes, size);
}

static void start_bufsz(const char *profile, uint32_t to_host, uint32_t to_remote)
{
	struct host_options options = {.size = {to_host, to_remote}};

	options.config.buffer_size[INPUT] = to_host;
	options.config.buffer_size[OUTPUT] = to_remote;
	start_with(options, profile);
}

static void test_profile_bufsz_advertises_512_unless_told_otherwise(void **state)
{
	start("linux-bufsz");
	expect_config("\x01\x0b\x00\x00\x02\x00\x00\x00\x02\x00\x00", 11);
}

static void test_profile_bufsz_advertises_each_direction(void **state)
{
	start_bufsz("linux-bufsz", 256, 1024);
	expect_config("\x01\x0b\x00\x00\x01\x00\x00\x00\x04\x00\x00", 11);
	teardown(state);
	start_bufsz("openamp-bufsz", 256, 1024);
	expect_config("\x01\x0b\x00\x00\x04\x00\x00\x00\x01\x00\x00", 11);
	teardown(state);
	start_bufsz("nuttx", 256, 1024);
	assert_int_equal(remote_config_size(host.remote), 64);
}

static void test_profile_config_is_read_in_parts_and_not_beyond(void **state)
{
	uint8_t bytes[CONFIG_MAX_SIZE];

	start_bufsz("linux-bufsz", 256, 1024);
	assert_int_equal(remote_config_read(host.remote, 3, 4, bytes), 0);
	assert_int_equal(wire_get_le32(bytes), 256);
	assert_int_equal(remote_config_read(host.remote, 11, 0, bytes), 0);
	assert_int_equal(remote_config_read(host.remote, 8, 4, bytes), -EINVAL);
	assert_int_equal(remote_config_read(host.remote, 12, 0, bytes), -EINVAL);
	assert_int_equal(remote_config_read(host.remote, UINT32_MAX, 2, bytes), -EINVAL);
}

/* 512 bytes lie there, 256 are agreed on: 240 of payload go, 241 do not. */
static void test_profile_bufsz_bounds_what_is_sent(void **state)
{
	struct host_options options = {.config.buffer_size = {256, 512}};
	uint8_t payload[241] = {1, 2, 3};
	struct remote_message message = {
		.hdr = {.src = 1, .dst = 2, .len = 240}, .payload = payload, .size = 240};

	start_with(options, "linux-bufsz");
	attach();
	assert_int_equal(remote_buffer_size(host.remote, INPUT), 256);
	assert_int_equal(remote_send(host.remote, &message), 0);
	host_expect(&host, 1, 2, payload, 240);
	message.size = 241;
	assert_int_equal(remote_send(host.remote, &message), -EMSGSIZE);
	host_expect_nothing(&host);
}

static void test_profile_bufsz_that_is_not_negotiated_leaves_512(void **state)
{
	static uint8_t payload[1000];
	struct remote_message message = {.hdr.len = 497, .payload = payload, .size = 497};

	start_bufsz("linux-bufsz", 1024, 1024);
	host_attach(&host, all_features() & ~VIRTIO_BIT(1));
	assert_int_equal(remote_buffer_size(host.remote, INPUT), 512);
	assert_int_equal(remote_buffer_size(host.remote, OUTPUT), 512);
	assert_int_equal(remote_send(host.remote, &message), -EMSGSIZE);
	message.size = 496;
	assert_int_equal(remote_send(host.remote, &message), 0);
}

static void test_profile_buffer_of_17_bytes_holds_one(void **state)
{
	struct remote_message message = {.payload = (const uint8_t *)"ab", .size = 1};

	start_bufsz("linux-bufsz", 17, 17);
	host_service(&host, "echo", "echo", 1024);
	attach();
	echo(1024, "x", 1);
	host_expect(&host, 1024, HOST_ADDR, "x", 1);
	assert_int_equal(remote_send(host.remote, &message), 0);
	message.size = 2;
	assert_int_equal(remote_send(host.remote, &message), -EMSGSIZE);
	/* The announcement did not fit. */
	assert_int_equal(remote_get_stats(host.remote)->send_failed, 2);
}

static void test_profile_buffer_of_a_megabyte_is_used(void **state)
{
	struct host_options options = {.num = {2, 2}, .size = {1 << 20, 1 << 20}};
	uint8_t *payload = calloc(1, 65535);

	assert_non_null(payload);
	payload[65534] = 1;
	options.config.buffer_size[INPUT] = 1 << 20;
	options.config.buffer_size[OUTPUT] = 1 << 20;
	start_with(options, "linux-bufsz");
	host_service(&host, "echo", "echo", 1024);
	attach();
	echo(1024, payload, 65535);
	host_expect(&host, 1024, HOST_ADDR, payload, 65535);
	assert_int_equal(host.violation_count, 0);
	free(payload);
}

static void test_profile_buffer_size_out_of_range_is_refused(void **state)
{
	static const uint32_t bad[] = {1, 16, (1 << 20) + 1, UINT32_MAX};
	const struct remote_ops ops = {0};
	struct remote *remote;

	for (unsigned int i = 0; i < 2 * COUNT(bad); i++) {
		struct remote_config config = {0};

		config.buffer_size[i & 1] = bad[i / 2];
		assert_int_equal(remote_new(&remote, &config, &ops, NULL, NULL), -EINVAL);
	}
}

/* A fixed agreement, as rpmsg-lite has it: nothing is advertised, but it holds. */
static void test_profile_size_without_configuration_bounds_too(void **state)
{
	struct host_options options = {.config.buffer_size = {64, 64}};
	uint8_t payload[49] = {0};
	struct remote_message message = {.payload = payload, .size = 49};

	start_with(options, "rpmsg-lite");
	attach();
	assert_int_equal(remote_config_size(host.remote), 0);
	assert_int_equal(remote_buffer_size(host.remote, INPUT), 64);
	assert_int_equal(remote_send(host.remote, &message), -EMSGSIZE);
}

static void test_profile_features_and_layout_can_be_forced(void **state)
{
	struct host_options options = {.config.offered_set = true};

	start_with(options, "linux");
	assert_true(remote_offered_features(host.remote) == 0);
	teardown(state);
	options.config.offered = VIRTIO_BIT(0) | VIRTIO_BIT(1) | VIRTIO_BIT(32);
	options.config.layout = config_layout_find("linux-aligned");
	options.config.buffer_size[INPUT] = 128;
	start_with(options, "linux");
	assert_int_equal(remote_config_size(host.remote), 13);
	host_attach(&host, options.config.offered);
	assert_int_equal(remote_buffer_size(host.remote, INPUT), 128);
	assert_int_equal(remote_buffer_size(host.remote, OUTPUT), 512);
}

/* ---- a driver that writes ----------------------------------------------------------------- */

static void test_profile_openamp_driver_sets_the_sizes(void **state)
{
	uint8_t bytes[CONFIG_MAX_SIZE];
	const struct host_event *event;

	start("openamp-bufsz");
	config_layout_fill(config_layout_find("openamp"), 128, 256, bytes);
	assert_int_equal(remote_config_write(host.remote, 0, 11, bytes), 0);
	expect_config(bytes, 11);
	event = host_event(&host, REMOTE_EVENT_CONFIG, 0);
	assert_non_null(event);
	assert_int_equal(event->event.buffer_size[INPUT], 128);
	assert_int_equal(event->event.buffer_size[OUTPUT], 256);
	attach();
	assert_int_equal(remote_buffer_size(host.remote, INPUT), 128);
	assert_int_equal(remote_buffer_size(host.remote, OUTPUT), 256);
	host_detach(&host);
	assert_int_equal(remote_buffer_size(host.remote, INPUT), 512);
	expect_config("\x01\x0b\x00\x00\x02\x00\x00\x00\x02\x00\x00", 11);
}

/* Field by field, as an MMIO driver does; in between the sizes are those that were valid last. */
static void test_profile_openamp_driver_writes_in_parts(void **state)
{
	const uint8_t zero[4] = {0}, size[4] = {0, 1, 0, 0};

	start("openamp-bufsz");
	attach();
	assert_int_equal(remote_config_write(host.remote, 7, 4, zero), 0);
	assert_int_equal(remote_buffer_size(host.remote, INPUT), 512);
	assert_int_equal(remote_config_write(host.remote, 7, 4, size), 0);
	assert_int_equal(remote_buffer_size(host.remote, INPUT), 256);
	assert_int_equal(remote_buffer_size(host.remote, OUTPUT), 512);
	assert_int_equal(remote_config_write(host.remote, 8, 4, size), -EINVAL);
}

static void test_profile_of_which_the_driver_only_reads_refuses_writes(void **state)
{
	const uint8_t bytes[4] = {0, 1, 0, 0};

	start("linux-bufsz");
	assert_int_equal(remote_config_write(host.remote, 3, 4, bytes), -EACCES);
	expect_config("\x01\x0b\x00\x00\x02\x00\x00\x00\x02\x00\x00", 11);
	teardown(state);
	start("linux");
	assert_int_equal(remote_config_write(host.remote, 0, 1, bytes), -EINVAL);
}

static void test_profile_config_change_is_one_byte_until_the_session_ends(void **state)
{
	const struct fault_setting once = {.mode = FAULT_MODE_COUNT, .count = 1};

	start("linux-bufsz");
	host_service(&host, "echo", "echo", 1024);
	attach();
	assert_int_equal(remote_fault_set(host.remote, FAULT_LIFE_CONFIG_CHANGE, &once), 0);
	expect_config("\x01\x0b\x00\x01\x02\x00\x00\x00\x02\x00\x00", 11);
	assert_int_equal(host.lives[REMOTE_LIFE_CONFIG_CHANGED], 1);
	assert_int_equal(remote_buffer_size(host.remote, INPUT), 512);
	host_detach(&host);
	expect_config("\x01\x0b\x00\x00\x02\x00\x00\x00\x02\x00\x00", 11);
	host_attach(&host, all_features());
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, NULL, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profile_list_is_that_of_the_field),
		cmocka_unit_test(test_profile_offers_its_bits),
		cmocka_unit_test(test_profile_features_have_names_and_numbers),
		cmocka_unit_test(test_profile_layout_of_linux_has_the_size_to_the_host_first),
		cmocka_unit_test(test_profile_layout_of_openamp_has_the_size_to_the_remote_first),
		cmocka_unit_test(test_profile_layout_with_alignment_has_13_bytes),
		cmocka_unit_test(test_profile_layout_of_nuttx_has_names_at_24),
		cmocka_unit_test(test_profile_old_layout_of_nuttx_has_names_at_8),
		cmocka_unit_test(test_profile_layouts_lie_within_their_size),
		cmocka_unit_test(test_profile_layout_that_is_wrong_is_refused),
		cmocka_unit_test(test_profile_buffer_size_out_of_range_is_refused),
		TEST(test_profile_linux_is_exact_and_clean),
		TEST(test_profile_openamp_uses_whole_descriptors_on_both_queues),
		TEST(test_profile_openamp_has_128_addresses),
		TEST(test_profile_rpmsg_lite_gives_addresses_from_1_but_not_53),
		TEST(test_profile_rpmsg_lite_leaves_the_descriptor_in_reserved),
		TEST(test_profile_dirty_reserved_leaves_a_given_header_alone),
		TEST(test_profile_rpmsg_lite_calls_for_queue_0_only),
		TEST(test_profile_announcements_are_whole_and_dirty_too),
		TEST(test_profile_nuttx_acknowledges_an_announcement),
		TEST(test_profile_nuttx_learns_its_peer_from_an_acknowledgement),
		TEST(test_profile_nuttx_acknowledges_a_peer_that_it_knows),
		TEST(test_profile_nuttx_acknowledges_only_with_the_feature),
		TEST(test_profile_nuttx_acknowledges_nothing_that_it_has_not),
		TEST(test_profile_bufsz_advertises_512_unless_told_otherwise),
		TEST(test_profile_bufsz_advertises_each_direction),
		TEST(test_profile_config_is_read_in_parts_and_not_beyond),
		TEST(test_profile_bufsz_bounds_what_is_sent),
		TEST(test_profile_bufsz_that_is_not_negotiated_leaves_512),
		TEST(test_profile_buffer_of_17_bytes_holds_one),
		TEST(test_profile_buffer_of_a_megabyte_is_used),
		TEST(test_profile_size_without_configuration_bounds_too),
		TEST(test_profile_features_and_layout_can_be_forced),
		TEST(test_profile_openamp_driver_sets_the_sizes),
		TEST(test_profile_openamp_driver_writes_in_parts),
		TEST(test_profile_of_which_the_driver_only_reads_refuses_writes),
		TEST(test_profile_config_change_is_one_byte_until_the_session_ends),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
