/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text of a scenario file: where each key stands, and the limits that it has to keep, found
 * out before anything is made of it. libcyaml names neither key nor line of all that it refuses.
 */
#ifndef DAEMON_SCENARIO_TEXT_H
#define DAEMON_SCENARIO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCENARIO_MAX_BYTES (1U << 20)
#define SCENARIO_MAX_DEPTH 12	   /* mappings and sequences within each other */
#define SCENARIO_MAX_NODES 65536   /* keys and entries */
#define SCENARIO_MAX_SCALAR 131072 /* bytes of one value: the largest payload in hexadecimal */
#define SCENARIO_MAX_PATH 256

/* What is wrong with a file, as one line: NAME:LINE: KEY: what. */
struct scenario_error {
	unsigned int line; /* from 1; 0: the file as a whole */
	char key[SCENARIO_MAX_PATH];
	char text[1024];
};

#define SCENARIO_NO_NODE UINT32_MAX

/* A key of a mapping or an entry of a sequence; node 0 is the file. */
struct scenario_node {
	uint32_t parent;
	uint32_t child, next; /* first child; the next one of the same parent */
	uint32_t index;	      /* from 0, among those */
	char *key;	      /* NULL: an entry of a sequence */
	unsigned int line;    /* of the key, or of the entry */
	unsigned int value_line, value_column;
	bool scalar, mapping;
};

struct scenario_text {
	const char *name; /* of the file, for messages; kept by reference */
	struct scenario_node *nodes;
	uint32_t count;
};

/**
 * scenario_text_read() - find out where everything stands
 * @text: result, to be given to scenario_text_free() in every case
 * @name: of the file, for messages; kept by reference
 * @bytes: contents of the file
 * @size: bytes
 * @error: set when the return value is not 0
 *
 * Return: 0; -EINVAL when it is no YAML, or beyond a limit, or uses what is not served here:
 * anchors, aliases, tags, several documents, a key that is given twice; -ENOMEM.
 */
int scenario_text_read(struct scenario_text *text, const char *name, const char *bytes, size_t size,
		       struct scenario_error *error);

/**
 * scenario_text_free() - release the nodes
 * @text: text
 */
void scenario_text_free(struct scenario_text *text);

/**
 * scenario_text_key() - the value of a key
 * @text: text
 * @node: mapping
 * @key: key
 *
 * Return: node, or SCENARIO_NO_NODE.
 */
uint32_t scenario_text_key(const struct scenario_text *text, uint32_t node, const char *key);

/**
 * scenario_text_entry() - an entry of a sequence
 * @text: text
 * @node: sequence
 * @index: from 0
 *
 * Return: node, or SCENARIO_NO_NODE.
 */
uint32_t scenario_text_entry(const struct scenario_text *text, uint32_t node, uint32_t index);

/**
 * scenario_text_at() - what begins at a place
 * @text: text
 * @line: from 1
 * @column: from 1
 *
 * Return: the outermost node whose value begins there, or SCENARIO_NO_NODE.
 */
uint32_t scenario_text_at(const struct scenario_text *text, unsigned int line, unsigned int column);

/**
 * scenario_text_path() - name a node: "actions[2].send.dst"
 * @text: text
 * @node: node
 * @path: set; what does not fit is left out
 */
void scenario_text_path(const struct scenario_text *text, uint32_t node,
			char path[SCENARIO_MAX_PATH]);

/**
 * scenario_fail() - say what is wrong
 * @error: set
 * @text: text
 * @node: what it is about; SCENARIO_NO_NODE or 0: the file
 * @key: key in @node that it is about, which need not be there; NULL: @node itself
 * @format: printf format
 *
 * Return: -EINVAL.
 */
int scenario_fail(struct scenario_error *error, const struct scenario_text *text, uint32_t node,
		  const char *key, const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif /* DAEMON_SCENARIO_TEXT_H */
