/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals as a descriptor, so that a wait ends in order and nothing is interrupted half-way.
 */
#ifndef CTL_SIGNALS_H
#define CTL_SIGNALS_H

/**
 * signals_open() - from now on some signals only make a descriptor readable
 * @numbers: signals, 0 ends the list
 *
 * Return: the descriptor, non-blocking; negative errno.
 */
int signals_open(const int *numbers);

/**
 * signals_next() - take one
 * @fd: of signals_open()
 *
 * Return: the signal's number, or 0 when none waits.
 */
int signals_next(int fd);

#endif /* CTL_SIGNALS_H */
