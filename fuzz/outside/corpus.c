/* SPDX-License-Identifier: BSD-2-Clause */
#include "outside/corpus.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mutate.h"

#define MAX_CHANGES 4
#define RECENT 4 /* every second input is of the last part of the corpus */

static uint64_t next_random(uint64_t *state)
{
	uint64_t value = (*state += UINT64_C(0x9e3779b97f4a7c15));

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

static uint32_t below(struct corpus *corpus, uint32_t bound)
{
	return (uint32_t)(next_random(&corpus->random) % bound);
}

static uint64_t name_of(const uint8_t *data, size_t size)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
	return hash;
}

int corpus_init(struct corpus *corpus, const char *folder, uint64_t seed)
{
	memset(corpus, 0, sizeof(*corpus));
	corpus->folder = folder;
	corpus->random = seed;
	corpus->inputs = calloc(CORPUS_MOST, sizeof(*corpus->inputs));
	corpus->names = calloc(CORPUS_MOST, sizeof(*corpus->names));
	return corpus->inputs != NULL && corpus->names != NULL ? 0 : -ENOMEM;
}

void corpus_fini(struct corpus *corpus)
{
	for (unsigned int i = 0; i < corpus->count; i++)
		free(corpus->inputs[i].data);
	for (unsigned int i = 0; i < CORPUS_ROWS; i++)
		free(corpus->rows[i]);
	free(corpus->inputs);
	free(corpus->names);
}

/* ---- inputs ------------------------------------------------------------------------------- */

/* Without operations of the remote's owner. Return: bytes; 0: no list. */
static size_t strip(const uint8_t *data, size_t size, uint8_t *to)
{
	static struct oplist list;
	unsigned int kept = 0;

	if (oplist_parse(&list, &session_schema, data, size) != 0)
		return 0;
	for (unsigned int i = 0; i < list.count; i++)
		if (list.items[i].code < SESSION_WIRE_COUNT)
			list.items[kept++] = list.items[i];
	list.count = kept;
	return oplist_write(&list, &session_schema, to, CORPUS_LONGEST);
}

static bool is_known(struct corpus *corpus, uint64_t name)
{
	for (unsigned int i = 0; i < corpus->name_count; i++)
		if (corpus->names[i] == name)
			return true;
	if (corpus->name_count < CORPUS_MOST)
		corpus->names[corpus->name_count++] = name;
	return false;
}

/* Under a name of its own first, so that others never read half of it. */
static void write_file(const struct corpus *corpus, uint64_t name, const uint8_t *data, size_t size)
{
	char path[PATH_MAX], part[PATH_MAX];
	ssize_t written;
	int fd;

	snprintf(path, sizeof(path), "%s/%016" PRIx64, corpus->folder, name);
	snprintf(part, sizeof(part), "%s/.%016" PRIx64 ".%d", corpus->folder, name, (int)getpid());
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	written = write(fd, data, size);
	close(fd);
	if (written != (ssize_t)size || rename(part, path) < 0)
		unlink(part);
}

bool corpus_add(struct corpus *corpus, const uint8_t *data, size_t size, bool write)
{
	uint8_t kept[CORPUS_LONGEST], *copy;
	uint64_t name;

	size = strip(data, size, kept);
	if (size == 0 || corpus->count == CORPUS_MOST)
		return false;
	name = name_of(kept, size);
	if (is_known(corpus, name))
		return false;
	copy = malloc(size);
	if (copy == NULL)
		return false;
	memcpy(copy, kept, size);
	corpus->inputs[corpus->count++] = (struct corpus_input){copy, size};
	if (write && corpus->folder != NULL)
		write_file(corpus, name, kept, size);
	return true;
}

static bool add_file(struct corpus *corpus, int folder, const char *name)
{
	uint8_t data[CORPUS_LONGEST];
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat about;
	ssize_t size = -1;

	if (fd < 0)
		return false;
	if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode))
		size = read(fd, data, sizeof(data));
	close(fd);
	return size > 0 && corpus_add(corpus, data, (size_t)size, false);
}

int corpus_read(struct corpus *corpus, const char *folder)
{
	DIR *directory = opendir(folder);
	const struct dirent *entry;
	int count = 0, fd = directory != NULL ? dirfd(directory) : -1;

	if (directory == NULL)
		return -errno;
	while (fd >= 0 && (entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			count += add_file(corpus, fd, entry->d_name);
	closedir(directory);
	return count;
}

static int by_size(const void *one, const void *two)
{
	const struct corpus_input *a = one, *b = two;

	return a->size < b->size ? -1 : a->size > b->size;
}

void corpus_sort(struct corpus *corpus)
{
	qsort(corpus->inputs, corpus->count, sizeof(*corpus->inputs), by_size);
}

static void add_list(struct corpus *corpus, const struct oplist *list)
{
	uint8_t data[512];

	(void)corpus_add(corpus, data, oplist_write(list, &session_schema, data, sizeof(data)),
			 false);
}

/* All bodies begin with the fields, those that are left out are zero. */
#define ITEM(code, ...)                                                                            \
	((struct oplist_item){code, sizeof((const uint8_t[]){__VA_ARGS__}),                        \
			      (const uint8_t[]){__VA_ARGS__}})
#define HANDSHAKE ITEM(SESSION_HANDSHAKE, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 8)
#define TURNS ITEM(SESSION_TURNS, 2)
#define TAKE ITEM(SESSION_TAKE, 0)

/* A message in two descriptors that the guest writes by hand. */
static void add_chain(struct corpus *corpus)
{
	const struct oplist list = {
		.count = 10,
		.items = {HANDSHAKE, TURNS, TAKE,
			  ITEM(SESSION_DESC, 1, 0, 0, 0x40, 0, 0x40, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0,
			       1, 0),
			  ITEM(SESSION_DESC, 1, 1, 0, 0x50, 0, 0x40, 0, 0, 0, 0, 8, 0, 0, 0),
			  ITEM(SESSION_WRITE, 0, 0x40, 1, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 8),
			  ITEM(SESSION_AVAIL, 1, 0, 0, 0), ITEM(SESSION_INDEX, 1, 1, 0),
			  ITEM(SESSION_KICK, 1, 1), TURNS},
	};

	add_list(corpus, &list);
}

/* A handshake, buffers, messages to the addresses that stacks like, and what came back. */
void corpus_add_builtin(struct corpus *corpus)
{
	static const uint32_t addresses[] = {1024, 1025, 53, 0, 0x1e};
	uint8_t message[8 + 40] = {0, 4};
	struct oplist list = {
		.count = 6,
		.items = {HANDSHAKE, TURNS, TAKE, {SESSION_MESSAGE, 0, message}, TURNS, TAKE}};

	memcpy(message + 8, "channel", 8);
	for (unsigned int i = 0; i < 2 * sizeof(addresses) / sizeof(addresses[0]); i++) {
		/* With a payload that may be an announcement, and with none. */
		list.items[3].size = i % 2 == 0 ? sizeof(message) : 8;
		memcpy(message + 4, &addresses[i / 2], 4);
		add_list(corpus, &list);
	}
	add_chain(corpus);
}

/* ---- new inputs --------------------------------------------------------------------------- */

static uint64_t bytes_random;

/* A few bytes changed, put in or left out. */
static size_t change_bytes(uint8_t *data, size_t size, size_t room)
{
	static const uint8_t likely[] = {0, 1, 0x7f, 0x80, 0xff, 16, 53};

	for (uint64_t n = 1 + next_random(&bytes_random) % 4; n > 0; n--) {
		uint64_t random = next_random(&bytes_random);
		size_t at = size != 0 ? (size_t)(random >> 8) % size : 0;
		uint8_t value = (random & 0x80) != 0 ? (uint8_t)(random >> 48)
						     : likely[(random >> 48) % sizeof(likely)];

		if (size == 0 || ((random & 7) == 0 && size < room)) {
			if (size == room)
				return size;
			memmove(data + at + 1, data + at, size - at);
			data[at] = value;
			size++;
		} else if ((random & 7) == 1) {
			memmove(data + at, data + at + 1, size - at - 1);
			size--;
		} else if ((random & 7) == 2) {
			data[at] ^= (uint8_t)(1U << (random >> 56) % 8);
		} else {
			data[at] = value;
		}
	}
	return size;
}

/* Of two the shorter one: it takes less time, and each change of it matters more. */
static const struct corpus_input *pick(struct corpus *corpus)
{
	const struct corpus_input *best = NULL;

	for (unsigned int i = 0; i < 2; i++) {
		uint32_t recent = corpus->ready / RECENT;
		uint32_t number = below(corpus, corpus->ready);

		if (recent != 0 && below(corpus, 2) == 0)
			number = corpus->ready - 1 - below(corpus, recent);
		if (best == NULL || corpus->inputs[number].size < best->size)
			best = &corpus->inputs[number];
	}
	return best;
}

/* A message as bytes, whose header tells another length than it has. */
static size_t make_liar(struct corpus *corpus, const struct oplist_item *item, uint32_t to,
			uint8_t *bytes)
{
	static const uint16_t lengths[] = {0, 1, 16, 40, 41, 495, 496, 497, 512, 0x7fff, 0xffff};
	const uint8_t *tail;
	size_t size;
	struct rpmsg_hdr hdr = {.src = (uint32_t)oplist_get(&session_schema, item, 0), .dst = to};

	tail = oplist_tail(&session_schema, item, &size);
	if (size > STATION_BUFFER_SIZE - RPMSG_HDR_SIZE)
		size = STATION_BUFFER_SIZE - RPMSG_HDR_SIZE;
	hdr.len = (uint16_t)(size + 1);
	if (below(corpus, 2) == 0)
		hdr.len = lengths[below(corpus, sizeof(lengths) / sizeof(lengths[0]))];
	rpmsg_hdr_encode(&hdr, bytes, WIRE_LITTLE_ENDIAN);
	if (size != 0)
		memcpy(bytes + RPMSG_HDR_SIZE, tail, size);
	return RPMSG_HDR_SIZE + size;
}

/* Send a message to an endpoint that the remote is likely to have, now and then with a lie. */
static size_t aim(struct corpus *corpus, const struct far *far, uint8_t *data, size_t size)
{
	static const uint32_t likely[] = {RPMSG_ADDR_FIRST_DYNAMIC, RPMSG_ADDR_NS};
	static struct oplist list;
	static uint8_t body[8 + STATION_BUFFER_SIZE], result[CORPUS_LONGEST];
	unsigned int first, number = below(corpus, far->known_count + 2);
	uint32_t to = number < 2 ? likely[number] : far->known[number - 2];

	if (oplist_parse(&list, &session_schema, data, size) != 0 || list.count == 0)
		return size;
	first = below(corpus, list.count);
	for (unsigned int i = 0; i < list.count; i++) {
		struct oplist_item *item = &list.items[(first + i) % list.count];

		if (item->code != SESSION_MESSAGE || item->size < 8 || item->size > sizeof(body))
			continue;
		if (below(corpus, 2) == 0) {
			item->size = (uint16_t)make_liar(corpus, item, to, body);
			item->code = SESSION_BYTES;
		} else {
			memcpy(body, item->body, item->size);
			memcpy(body + 4, &to, sizeof(to));
		}
		item->body = body;
		size = oplist_write(&list, &session_schema, result, sizeof(result));
		memcpy(data, result, size);
		break;
	}
	return size;
}

size_t corpus_make(struct corpus *corpus, const struct far *far, uint8_t *to)
{
	/* The mutator is not to make operations of the remote's owner. */
	static struct oplist_schema wire;
	const struct corpus_input *one = pick(corpus), *two;
	size_t size = 0;

	wire = session_schema;
	wire.count = SESSION_WIRE_COUNT;
	bytes_random = next_random(&corpus->random);
	if (below(corpus, 4) == 0) {
		two = pick(corpus);
		size = mutate_cross(&wire, one->data, one->size, two->data, two->size, to,
				    CORPUS_LONGEST, (uint32_t)next_random(&corpus->random));
	}
	if (size == 0) {
		memcpy(to, one->data, one->size);
		size = one->size;
	}
	for (uint32_t n = below(corpus, MAX_CHANGES) + 1; n > 0; n--)
		size = mutate(&wire, to, size, CORPUS_LONGEST,
			      (uint32_t)next_random(&corpus->random), change_bytes);
	return below(corpus, 4) == 0 ? aim(corpus, far, to, size) : size;
}

/* ---- what was seen ------------------------------------------------------------------------ */

static uint8_t bit_of(uint8_t count)
{
	if (count < 4)
		return (uint8_t)(1U << (count - 1));
	return count < 8 ? 8 : count < 16 ? 16 : count < 32 ? 32 : count < 128 ? 64 : 128;
}

/* Put counters into what was seen. Return: true when one is new; *fresh: those never seen. */
static bool merge(uint8_t *seen, const uint8_t *counters, size_t size, unsigned int *fresh)
{
	bool new = false;

	for (size_t i = 0; i < size; i++) {
		uint64_t word;
		uint8_t bit;

		/* Most are zero. */
		while (i % 8 == 0 && i + 8 <= size &&
		       (memcpy(&word, counters + i, sizeof(word)), word == 0))
			i += 8;
		if (i >= size || counters[i] == 0)
			continue;
		bit = bit_of(counters[i]);
		if (seen[i] == 0)
			++*fresh;
		new = new || (seen[i] & bit) == 0;
		seen[i] |= bit;
	}
	return new;
}

static bool judge_row(struct corpus *corpus, unsigned int number,
		      const struct victim_counters *counters)
{
	if (corpus->row_sizes[number] < counters->size) {
		uint8_t *more = realloc(corpus->rows[number], counters->size);

		if (more == NULL)
			return false;
		memset(more + corpus->row_sizes[number], 0,
		       counters->size - corpus->row_sizes[number]);
		corpus->rows[number] = more;
		corpus->row_sizes[number] = counters->size;
	}
	return merge(corpus->rows[number], counters->at, counters->size, &corpus->reached);
}

bool corpus_judge(struct corpus *corpus, const struct far *far, struct victim *victim)
{
	struct victim_counters counters;
	bool new = merge(corpus->trace, far->line.trace, LINE_TRACE, &corpus->seen);
	bool counted = false;

	for (unsigned int i = 0; i < CORPUS_ROWS && victim_counters(victim, i, &counters); i++) {
		counted = true;
		if (judge_row(corpus, i, &counters))
			new = true;
	}
	if (counted)
		victim_clear_counters(victim);
	return new;
}
