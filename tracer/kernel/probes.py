"""Which probes there are, and where each of them goes. tracer/kernel/loading.py puts them there."""

from __future__ import annotations

from tracer.records import Tail

__all__ = ("CENSUS", "HELD", "ITERATORS", "LATE", "OPTIONAL", "SOCKET_CENSUS", "TAILS", "TRACEPOINTS", "TWINS", "UNFINISHED", "UPROBES", "WITHOUT")

# Attach order: a process must be followed before its calls are counted.
TRACEPOINTS = {
    "on_fork": "sched_process_fork",
    "on_exec": "sched_process_exec",
    "on_exit": "sched_process_exit",
    "on_sys_exit": "sys_exit",
    "on_sys_enter": "sys_enter",
}
_TCP = {
    "on_tcp_state": "inet_sock_set_state",
    "on_tcp_retransmit": "tcp_retransmit_skb",
    "on_tcp_reset_sent": "tcp_send_reset",
    "on_tcp_reset_received": "tcp_receive_reset",
    "on_tcp_destroy": "tcp_destroy_sock",
}
# What runs in interrupts, too, is there twice: no program is entered while it is running on the same CPU, but the other one is (bpf/sockets.c).
TWINS = {name: f"{name}_within" for name in _TCP}
# What a kernel may lack, and a session then does without; image["missing"] says so.
OPTIONAL = {
    **_TCP,
    **{TWINS[name]: point for name, point in _TCP.items()},
    # Taken off in this order: whatever is submitted in between ends without a beginning, not the other way round.
    "on_uring_submit": "io_uring_submit_req|io_uring_submit_sqe",
    "on_uring_refused": "io_uring_req_failed",
    "on_uring_complete": "io_uring_complete",
}
# What is not seen without them
WITHOUT = {
    "on_tcp_state": "states of TCP connections", "on_tcp_retransmit": "TCP segments that are sent again",
    "on_tcp_reset_sent": "resets that TCP sends", "on_tcp_reset_received": "resets that TCP receives",
    "on_tcp_destroy": "TCP's last figures of a connection",
    "on_uring_submit": "operations of io_uring", "on_uring_refused": "operations of io_uring that are refused",
    "on_socket_census": "sockets that were open before the trace or at its end", "on_unfinished": "calls that had not returned at its end",
}


# Programs that another goes on to by a tail call, and their places in MAP_TAILS
TAILS = {
    "on_slots": (Tail.SLOTS,),
    "on_socket": (Tail.SOCKET, Tail.ACCEPT, Tail.PASSED),
    "on_message": (Tail.MESSAGE,),
    "on_handed": (Tail.HANDED,),
    "on_data": (Tail.DATA,),
    "on_one": (Tail.ONE,),
    "on_stream": (Tail.STREAM,),
    "on_plain": (Tail.PLAIN,),
    "on_wire": (Tail.WIRE,),
    "on_mapped": (Tail.MAPPED,),
    "on_copied": (Tail.COPIED,),
    "on_described": (Tail.DESCRIBED,),
    "on_unix": (Tail.UNIX,),
    "on_tcp": (Tail.TCP,),
    "on_uring_socket": (Tail.OPERATED,),
}
UPROBES = frozenset(("on_tls_enter", "on_tls_return", "on_go_return", "on_tls_more", "on_tls_free"))
HELD, CENSUS, UNFINISHED, SOCKET_CENSUS = "on_held", "on_census", "on_unfinished", "on_socket_census"
ITERATORS = {HELD: "bpf_iter_task", CENSUS: "bpf_iter_task", UNFINISHED: "bpf_iter_task", SOCKET_CENSUS: "bpf_iter_task_file"}
LATE = (SOCKET_CENSUS, UNFINISHED)  # what a target need not wait for
