/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of the sandbox, by LD_PRELOAD: rpmsg-sim names the signal that ends it with
 * strsignal(), and this one makes a system call on the way, which $FORBIDDEN chooses.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

char *strsignal(int number)
{
	const char *call = getenv("FORBIDDEN");

	if (strcmp(call, "socket") == 0)
		close(socket(AF_UNIX, SOCK_STREAM, 0));
	else if (strcmp(call, "openat") == 0)
		close(open("/dev/null", O_RDONLY));
	else if (strcmp(call, "mmap") == 0)
		mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	else if (strcmp(call, "execve") == 0)
		execl("/bin/true", "true", NULL);
	return (char *)"forbidden call";
}
