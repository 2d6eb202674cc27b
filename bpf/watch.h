/* SPDX-License-Identifier: GPL-2.0-only */
/* Which sockets are told about: TCP connections are followed to their end, the payload of resolvers is kept. */
#pragma once
#include "files.h"

#if HAVE_SOCKETS
#define socket_send(ctx, r) ({ \
	ledger_add(LANE_SOCKETS, COUNTED); \
	lane_send(ctx, MAP_SOCKETS, LANE_SOCKETS, r, sizeof(*(r)), RB_NO_WAKEUP); })

/*
 * From now on the tracepoints of TCP tell about it; what had happened before is read from it afterwards. One that is followed already
 * stays in its place: a tracepoint that is just telling of it on another CPU would find something else there.
 */
INLINE void follow(struct rec_socket *r, struct sock *sk)
{
	struct sock_state fresh = { .sock = r->sock, .proc = r->proc }, *state;

	if (!is_tcp(r))
		return;
	state = map_lookup(MAP(MAP_SOCKS), &sk);
	if (state) {
		state->sock = r->sock;
		state->proc = r->proc;
		return;
	}
	if (map_update(MAP(MAP_SOCKS), &sk, &fresh, 0)) {
		/* What it will do goes untold: one record stands for all of them. */
		ledger_add(LANE_SOCKETS, COUNTED);
		ledger_add(LANE_SOCKETS, LOST);
	}
}

/* Connected to a name server, or to what answers on a Unix socket instead: glibc's nscd, and systemd-resolved. */
INLINE int is_resolver(struct rec_socket *r, struct sock *sk)
{
	struct sock *peer;
	struct unix_address *address;
	u64 words[2] = {};

	if (r->family == AF_INET || r->family == AF_INET6)
		return r->remote_port == PORT_DNS;
	if (r->family != AF_UNIX)
		return 0;
	peer = READ((struct unix_sock *)sk, peer);
	address = peer ? READ((struct unix_sock *)peer, addr) : 0;
	if (!address)
		return 0;
	read_kernel(words, sizeof(words), (void *)address + __builtin_offsetof(struct unix_address, name) + UNIX_FAMILY_BYTES);
	return (words[0] == 0x7379732f6e75722fULL && words[1] == 0x7365722f646d6574ULL)         /* /run/systemd/res */
	    || (words[0] == 0x6e75722f7261762fULL && words[1] == 0x6f732f6463736e2fULL)         /* /var/run/nscd/so */
	    || (words[0] == 0x63736e2f6e75722fULL && words[1] == 0x74656b636f732f64ULL);        /* /run/nscd/socket */
}

/* From now on what calls do with this descriptor is looked at. */
INLINE void gate_mark(s32 fd)
{
	struct gate *gate = map_lookup(MAP(MAP_GATE), KEY(0));

	if (gate)
		gate->watched[fd & (GATE - 1)] = 1;
}

INLINE void watch(s32 fd, u64 sock, struct file *file, u32 kind)
{
	struct watched watched = { .sock = sock, .kind = kind };

	map_update(MAP(MAP_WATCHED), &file, &watched, 0);
	gate_mark(fd);
}

/* The state of a byte stream, made anew where nobody has seen its beginning; 0 if there is no room, or if it is a resolver's. */
INLINE struct watched *watched_stream(struct file *file, u64 sock)
{
	struct watched fresh = { .sock = sock, .stream = { .flags = STREAM_MIDWAY } }, *w = map_lookup(MAP(MAP_WATCHED), &file);

	if (!w || w->sock != sock) {
		map_update(MAP(MAP_WATCHED), &file, &fresh, 0);
		w = map_lookup(MAP(MAP_WATCHED), &file);
	}
	return w && w->kind != WATCH_RESOLVER ? w : 0;
}

#define SOCK_STREAM 1

/* What a resolver's socket says and hears gives addresses their names; what a byte stream does may be HTTP or TLS. */
INLINE void listen_in(struct rec_socket *r, struct file *file, struct sock *sk)
{
	if (is_resolver(r, sk))
		watch(r->fd, r->sock, file, WATCH_RESOLVER);
	else if (r->type == SOCK_STREAM && r->call == SYSNO_LIMIT)
		gate_mark(r->fd);          /* it was open before: its beginning has passed */
	else if (r->type == SOCK_STREAM)
		watch(r->fd, r->sock, file, WATCH_NEW);
}

/* A record on its way to on_described; on the workbench, behind an operation of io_uring. */
struct description {
	struct uring_state operation;
	struct rec_socket r;
	struct file *file;
	struct sock *sk;
	u64 named;                 /* Unix: the name of the socket itself is known, the other end's is not */
};
#endif
