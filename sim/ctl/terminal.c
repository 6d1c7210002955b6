/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/terminal.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_ROWS 24
#define DEFAULT_COLUMNS 80

#define ALTERNATE_SCREEN "\033[?1049h"
#define NORMAL_SCREEN "\033[?1049l"
#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"
#define HOME "\033[H"
#define CLEAR_TO_END_OF_LINE "\033[K"
#define CLEAR_TO_END_OF_SCREEN "\033[J"

void terminal_open(struct terminal *terminal)
{
	*terminal =
		(struct terminal){.screen = isatty(STDOUT_FILENO), .keys = isatty(STDIN_FILENO)};
	/* Of a job in the background the keys belong to somebody else, and taking them stops it. */
	if (terminal->keys && tcgetpgrp(STDIN_FILENO) != getpgrp())
		terminal->keys = false;
}

void terminal_enter(struct terminal *terminal)
{
	struct termios raw;

	if (terminal->entered)
		return;
	terminal->entered = true;
	if (terminal->keys && tcgetattr(STDIN_FILENO, &terminal->saved))
		terminal->keys = false;
	if (terminal->keys) {
		raw = terminal->saved;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 0; /* a read never waits */
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	if (terminal->screen) {
		fputs(ALTERNATE_SCREEN HIDE_CURSOR, stdout);
		fflush(stdout);
	}
}

void terminal_leave(struct terminal *terminal)
{
	if (!terminal->entered)
		return;
	terminal->entered = false;
	if (terminal->screen) {
		fputs(SHOW_CURSOR NORMAL_SCREEN, stdout);
		fflush(stdout);
	}
	if (terminal->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal->saved);
}

void terminal_size(int *rows, int *columns)
{
	struct winsize size;

	*rows = DEFAULT_ROWS;
	*columns = DEFAULT_COLUMNS;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
		return;
	*rows = size.ws_row;
	*columns = size.ws_col;
}

void terminal_draw(const char *frame, int rows, int columns)
{
	fputs(HOME, stdout);
	for (int row = 0; row < rows && *frame; row++) {
		int length = (int)strcspn(frame, "\n");
		int shown = length < columns ? length : columns;

		/*
		 * Cleared before the text: after a full line the cursor still stands on its last
		 * column. And no newline after the last line, which would scroll the screen.
		 */
		fprintf(stdout, "%s" CLEAR_TO_END_OF_LINE "%.*s", row ? "\n" : "", shown, frame);
		frame += length + (frame[length] == '\n');
	}
	fputs(CLEAR_TO_END_OF_SCREEN, stdout);
	fflush(stdout);
}

bool terminal_quit_key(struct terminal *terminal)
{
	char keys[64];
	ssize_t got = read(STDIN_FILENO, keys, sizeof(keys));

	if (got <= 0)
		terminal->keys = terminal->keys && got < 0;
	for (ssize_t i = 0; i < got; i++) {
		if (keys[i] == 'q' || keys[i] == 'Q')
			return true;
	}
	return false;
}
