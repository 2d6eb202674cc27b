/* SPDX-License-Identifier: GPL-2.0-only */
/* What only the kernel knows about a descriptor: the open file behind it, and the socket behind that. */
#pragma once
#include "lanes.h"
#include "strings.h"

/* The open file description of a descriptor of the current process; 0 if there is none. */
INLINE struct file *file_of(s32 fd)
{
	struct task_struct *task = (void *)current_task_address();
	struct files_struct *files = READ(task, files);
	struct fdtable *table = READ(files, fdt);
	struct file **slots, *file = 0;

	if ((u32)fd >= READ(table, max_fds))
		return 0;
	slots = READ(table, fd);
	read_kernel(&file, sizeof(file), slots + (u32)fd);
	return file;
}

#define O_CREAT 0100

#define FMODE_CREATED 0x100000     /* include/linux/fs.h; since Linux 4.19 */
INLINE int file_was_created(s32 fd)
{
	struct file *file = file_of(fd);

	return file && READ(file, f_mode) & FMODE_CREATED;
}

/* A number for a kernel object that tells nothing of its address. `salt` tells apart what lies at one address in turn. */
INLINE u64 alias(u64 address, u64 salt)
{
	struct control *control = map_lookup(MAP(MAP_CONTROL), KEY(0));
	u64 hash = address ^ (control ? control->seed : 0);

	if (!address)
		return 0;
	hash *= SCATTER;
	hash ^= hash >> 32;
	hash = (hash ^ salt) * 0xd6e8feb86659fd93ULL;
	hash ^= hash >> 29;
	return hash ? hash : 1;
}

/* Whether a watched socket may be behind this descriptor. */
INLINE int gate_open(u64 fd)
{
	struct gate *gate = map_lookup(MAP(MAP_GATE), KEY(0));

	return gate && gate->watched[fd & (GATE - 1)];
}

#define S_IFMT 0170000
#define S_IFSOCK 0140000

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6

#if HAVE_SOCKETS
#define UNIX_FAMILY_BYTES 2
#define UNIX_PATH_BYTES 108

/* The string id of a Unix socket's address, 0 if it has none. It begins with NUL where it is abstract. */
INLINE u64 unix_name(void *ctx, struct sock *sk)
{
	struct unix_address *address = READ((struct unix_sock *)sk, addr);
	struct scratch *s = scratch();
	u64 length;

	if (!address || !s)
		return 0;
	length = READ(address, len);
	if (length <= UNIX_FAMILY_BYTES)
		return 0;
	length = AT_MOST(length - UNIX_FAMILY_BYTES, UNIX_PATH_BYTES);
	if (read_kernel(s->bytes, length, (void *)address + __builtin_offsetof(struct unix_address, name) + UNIX_FAMILY_BYTES))
		return 0;
	return intern(ctx, s, length, length);
}

INLINE u64 inode_of(struct sock *sk)
{
	struct socket *socket = READ(sk, sk_socket);
	struct file *file = socket ? READ(socket, file) : 0;
	struct inode *inode = file ? READ(file, f_inode) : 0;

	return inode ? READ(inode, i_ino) : 0;
}

/* Figures of struct tcp_sock in the units of their fields. */
INLINE void tcp_fill(struct rec_socket *r, struct tcp_sock *tcp)
{
	u32 rtt_min[2] = {};

	/* struct minmax: three samples of {time, value}; the first is the minimum. ~0: nothing measured. */
	read_kernel(rtt_min, sizeof(rtt_min), tcp->rtt_min);
	r->min_rtt_us = rtt_min[1] == ~0U ? 0 : rtt_min[1];
	r->srtt_us = READ(tcp, srtt_us) >> 3;
	r->rttvar_us = READ(tcp, mdev_us) >> 2;
	r->cwnd = READ(tcp, snd_cwnd);
	r->mss = READ(tcp, mss_cache);
	r->retransmits = READ(tcp, total_retrans);
	r->segments_out = READ(tcp, data_segs_out);
	r->segments_in = READ(tcp, data_segs_in);
	r->bytes_sent = READ(tcp, bytes_sent);
	r->bytes_acked = READ(tcp, bytes_acked);
	r->bytes_received = READ(tcp, bytes_received);
}

#define is_tcp(r) ((r)->protocol == IPPROTO_TCP && ((r)->family == AF_INET || (r)->family == AF_INET6))

/* What kind of socket it is: to be known before the rest is asked for. */
INLINE void kind_fill(struct rec_socket *r, struct sock *sk)
{
	r->family = READ(sk, __sk_common_skc_family);
	r->type = READ(sk, sk_type);
	r->protocol = READ(sk, sk_protocol);
}

INLINE void sock_fill(struct rec_socket *r, struct sock *sk)
{
	struct net *net = READ(sk, __sk_common_skc_net_net);

	r->new_state = READ(sk, __sk_common_skc_state);
	r->netns = READ(net, ns_inum);
	if (r->family == AF_INET) {
		read_kernel(r->local, 4, &sk->__sk_common_skc_rcv_saddr);
		read_kernel(r->remote, 4, &sk->__sk_common_skc_daddr);
	} else if (r->family == AF_INET6) {
		read_kernel(r->local, 16, sk->__sk_common_skc_v6_rcv_saddr);
		read_kernel(r->remote, 16, sk->__sk_common_skc_v6_daddr);
	} else {
		return;
	}
	r->local_port = READ(sk, __sk_common_skc_num);
	r->remote_port = __builtin_bswap16(READ(sk, __sk_common_skc_dport));
	if (is_tcp(r))
		tcp_fill(r, (struct tcp_sock *)sk);
}

INLINE struct sock *sock_of(struct file *file)
{
	struct inode *inode = READ(file, f_inode);
	struct socket *socket;

	if ((READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = READ(file, private_data);
	return READ(socket, sk);
}

/* Says which open file it is; returns its socket, or 0 if it is none. */
INLINE struct sock *file_fill(struct rec_socket *r, struct file *file)
{
	struct inode *inode = READ(file, f_inode);
	struct super_block *super = READ(inode, i_sb);
	struct sock *sk = sock_of(file);

	r->inode = READ(inode, i_ino);
	r->mode = READ(inode, i_mode);
	r->dev = READ(super, s_dev);
	r->file = alias(ADDRESS(file), r->inode);
	if (sk)
		r->sock = alias((u64)sk, r->inode);
	return sk;
}
#endif
