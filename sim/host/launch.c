/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACEHOLDER "{socket}"
#define PATIENCE_MS 3000

static int fail(char *error, size_t size, const char *what)
{
	int number = errno;

	snprintf(error, size, "--launch: cannot %s: %s", what, strerror(number));
	return -number;
}

/* Return: the command with all placeholders replaced, to be freed; NULL without memory. */
static char *put_socket(const char *command, const char *path)
{
	size_t count = 0;
	char *text, *out;

	for (const char *at = command; (at = strstr(at, PLACEHOLDER)); at += strlen(PLACEHOLDER))
		count++;
	text = malloc(strlen(command) + count * strlen(path) + 1);
	if (!text)
		return NULL;
	for (out = text; *command;) {
		if (strncmp(command, PLACEHOLDER, strlen(PLACEHOLDER)) == 0) {
			out = stpcpy(out, path);
			command += strlen(PLACEHOLDER);
		} else {
			*out++ = *command++;
		}
	}
	*out = '\0';
	return text;
}

static void run(const char *command, int output, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	/* Whatever ends this program ends the back-end too. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		_exit(126);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

int launch_start(struct launch *launch, const char *command, int output, char *error, size_t size)
{
	const char *temp = getenv("TMPDIR");
	pid_t parent = getpid(), pid;
	char *text;

	memset(launch, 0, sizeof(*launch));
	/* A long TMPDIR leaves no room for a socket's path of 107 bytes. */
	if (!temp || *temp == '\0' || strlen(temp) > 40)
		temp = "/tmp";
	snprintf(launch->directory, sizeof(launch->directory), "%s/rpmsg-host.XXXXXX", temp);
	if (!mkdtemp(launch->directory))
		return fail(error, size, "make a directory for the socket");
	snprintf(launch->socket_path, sizeof(launch->socket_path), "%s/remote.sock",
		 launch->directory);
	text = put_socket(command, launch->socket_path);
	pid = text ? fork() : -1;
	if (pid == 0)
		run(text, output, parent);
	free(text);
	launch->pid_fd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (launch->pid_fd < 0) {
		int ret = fail(error, size, "start the back-end");

		rmdir(launch->directory);
		return ret;
	}
	/* Both do it, so that it is done whoever runs first. */
	setpgid(pid, pid);
	launch->pid = pid;
	return 0;
}

static bool wait_end(const struct launch *launch, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = launch->pid_fd, .events = POLLIN};
	int ret;

	do
		ret = poll(&poll_fd, 1, timeout_ms);
	while (ret < 0 && errno == EINTR);
	return ret > 0;
}

bool launch_has_ended(const struct launch *launch)
{
	return wait_end(launch, 0);
}

static void remove_directory(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	int fd = directory ? dirfd(directory) : -1;

	if (fd >= 0) {
		while ((entry = readdir(directory))) {
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				unlinkat(fd, entry->d_name, 0);
		}
		closedir(directory);
	}
	rmdir(path);
}

int launch_end(struct launch *launch, char *error, size_t size)
{
	bool ended, killed = false;
	int status = 0;

	if (launch->pid == 0)
		return 0;
	ended = launch_has_ended(launch);
	kill(-launch->pid, SIGTERM);
	if (!wait_end(launch, PATIENCE_MS)) {
		killed = true;
		kill(-launch->pid, SIGKILL);
	}
	waitpid(launch->pid, &status, 0);
	/* What the shell started and did not wait for. */
	kill(-launch->pid, SIGKILL);
	close(launch->pid_fd);
	remove_directory(launch->directory);
	launch->pid = 0;
	if (killed) {
		snprintf(error, size,
			 "the launched back-end did not end on SIGTERM and was killed");
		return -ETIME;
	}
	if (WIFSIGNALED(status) && (ended || WTERMSIG(status) != SIGTERM)) {
		snprintf(error, size, "the launched back-end was ended by signal %d",
			 WTERMSIG(status));
		return -ECHILD;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 128 + SIGTERM) {
		snprintf(error, size, "the launched back-end ended with status %d",
			 WEXITSTATUS(status));
		return -ECHILD;
	}
	return 0;
}

void launch_abort(const struct launch *launch)
{
	if (launch->pid == 0)
		return;
	kill(-launch->pid, SIGKILL);
	waitpid(launch->pid, NULL, 0);
	unlink(launch->socket_path);
	rmdir(launch->directory);
}
