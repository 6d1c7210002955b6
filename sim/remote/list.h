/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Doubly linked circular list whose nodes lie in their owners: an element is added and taken
 * out in constant time and without memory of its own.
 */
#ifndef REMOTE_LIST_H
#define REMOTE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A head, or the part of an element that is in one list at most; {NULL} means: in none. */
struct list_node {
	struct list_node *prev, *next;
};

#define list_entry(node, type, member) ((type *)((char *)(node) - offsetof(type, member)))

#define list_for_each(node, head)                                                                  \
	for (struct list_node *node = (head)->next; node != (head); node = node->next)

/* The body may take the node out of the list. */
#define list_for_each_safe(node, after, head)                                                      \
	for (struct list_node *node = (head)->next, *after = node->next; node != (head);           \
	     node = after, after = node->next)

static inline void list_init(struct list_node *head)
{
	head->prev = head;
	head->next = head;
}

static inline bool list_empty(const struct list_node *head)
{
	return head->next == head;
}

static inline bool list_linked(const struct list_node *node)
{
	return node->next != NULL;
}

static inline void list_add_tail(struct list_node *head, struct list_node *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* A node that is in no list is left alone. */
static inline void list_remove(struct list_node *node)
{
	if (!list_linked(node))
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->prev = NULL;
	node->next = NULL;
}

#endif /* REMOTE_LIST_H */
