/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of rpmsg-ctl share: exit statuses and the form of a complaint.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

enum ctl_exit {
	CTL_DONE = 0,
	CTL_REFUSED = 1, /* the daemon answered with an error; or the output cannot be written */
	CTL_USAGE = 2,	 /* nothing was sent */
	CTL_UNREACHABLE = 3, /* no daemon, no answer in time, or it has gone */
};

/**
 * ctl_complain() - one line on standard error, with the program's name before it
 * @status: returned
 * @format: printf format of the message, without newline
 *
 * Return: @status.
 */
enum ctl_exit ctl_complain(enum ctl_exit status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* CTL_CTL_H */
