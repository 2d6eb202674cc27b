/* SPDX-License-Identifier: GPL-2.0-only */
/* What calls that send and receive point to, and what one of them is about. */
#pragma once
#include "files.h"

/* As user programs of 64 bits lay them out: include/uapi/linux/socket.h, linux/uio.h */
struct user_vector { u64 base, length; };
struct user_message { u64 name; u32 name_length, pad; u64 vectors, count, control, control_length; u32 flags, pad_2, moved, pad_3; };
#define MESSAGE_BYTES 56           /* of a struct user_message: all that sendmsg and recvmsg have of it */
struct user_control { u64 length; u32 level, type; };
struct user_address { u16 family, port; u8 rest[24]; };

/* One message, where it is and whose. */
struct message {
	u64 base;                  /* the bytes, or an array of struct user_vector */
	u64 count;                 /* of vectors; 0: base is the bytes themselves */
	u64 name;                  /* address of the other end in user memory, 0 if none was given */
	u32 length;
	u32 sends;
	u32 index;                 /* in the call's array */
	u32 passes;                /* bytes of a stream have passed, not only been looked at */
	u64 array;                 /* of struct user_message */
	struct file *file;
	struct sock *sk;
	u64 sock;                  /* as in rec_socket */
	s32 fd;
};

INLINE int names_a_resolver(u64 name)
{
	struct user_address address = {};

	return name && !read_user(&address, 4, (void *)name) && (address.family == AF_INET || address.family == AF_INET6)
		&& __builtin_bswap16(address.port) == PORT_DNS;
}
