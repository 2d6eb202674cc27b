/* connects T N: T threads that make N TCP connections each, at the same time, to T others; it sends a byte, waits for the end, and resets. Prints the port. */
#include "target.h"
#include <arpa/inet.h>
#include <sys/socket.h>

static struct sockaddr_in place = { .sin_family = AF_INET };
static long connections;
static int listener;

static void *server(void *unused)
{
	char byte;

	for (long i = 0; i < connections; i++) {
		int fd = accept(listener, NULL, NULL);

		must(fd >= 0 && read(fd, &byte, 1) == 1 && close(fd) == 0, "server");
	}
	return unused;
}

static void *client(void *unused)
{
	struct linger at_once = { 1, 0 };      /* nothing lingers in TIME_WAIT: there are not enough ports for that */
	char byte = 0;

	for (long i = 0; i < connections; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		must(connect(fd, (void *)&place, sizeof(place)) == 0, "connect");
		must(write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 0, "client");
		must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0 && close(fd) == 0, "close");
	}
	return unused;
}

int main(int argc, char **argv)
{
	must(argc == 3, "usage");
	int n = atoi(argv[1]);
	socklen_t length = sizeof(place);
	pthread_t threads[2 * n];

	connections = atol(argv[2]);
	place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	must(bind(listener, (void *)&place, sizeof(place)) == 0 && listen(listener, 512) == 0, "listen");
	must(getsockname(listener, (void *)&place, &length) == 0, "getsockname");
	ready();
	for (int i = 0; i < 2 * n; i++)
		must(pthread_create(&threads[i], NULL, i < n ? server : client, NULL) == 0, "pthread_create");
	for (int i = 0; i < 2 * n; i++)
		pthread_join(threads[i], NULL);
	say("%d\n", ntohs(place.sin_port));
	return 0;
}
