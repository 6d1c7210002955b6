/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The screen of "watch": its own page of the terminal, keys one by one, and everything as it
 * was at the end. Escape sequences: ECMA-48, and xterm's alternate screen.
 */
#ifndef CTL_TERMINAL_H
#define CTL_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct terminal {
	bool screen; /* standard output is a terminal */
	bool keys;   /* standard input is one */
	bool entered;
	struct termios saved;
};

/**
 * terminal_open() - look what there is; changes nothing
 * @terminal: result
 */
void terminal_open(struct terminal *terminal);

/**
 * terminal_enter() - take the screen and the keys
 * @terminal: terminal
 */
void terminal_enter(struct terminal *terminal);

/**
 * terminal_leave() - give them back as they were; does nothing when they were not taken
 * @terminal: terminal
 */
void terminal_leave(struct terminal *terminal);

/**
 * terminal_size() - size of the screen now
 * @rows: receives lines
 * @columns: receives columns
 */
void terminal_size(int *rows, int *columns);

/**
 * terminal_draw() - show a frame in place of the one before
 * @frame: lines, each with a newline
 * @rows: lines that are shown at most
 * @columns: columns of a line that are shown at most; the text is ASCII
 */
void terminal_draw(const char *frame, int rows, int columns);

/**
 * terminal_quit_key() - has somebody pressed q?
 * @terminal: terminal; keys ends when there is no more input
 *
 * Return: true when so; takes all keys that wait.
 */
bool terminal_quit_key(struct terminal *terminal);

#endif /* CTL_TERMINAL_H */
