/* signalled: waits for one signal, says its number, and ends with status 5. */
#include "target.h"

int main(void)
{
	int number;
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	say("ready %d\n", getpid());
	must(sigwait(&set, &number) == 0, "sigwait");
	say("signal %d\n", number);
	return 5;
}
