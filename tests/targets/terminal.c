/* terminal: says what it sees of its terminal: is it one, its size, and whether we are in the foreground. Then echoes one line. */
#include "target.h"
#include <sys/ioctl.h>
#include <termios.h>

int main(void)
{
	struct winsize size = {0};
	struct termios modes;
	char line[64];

	ioctl(0, TIOCGWINSZ, &size);
	say("tty %d%d%d size %dx%d ", isatty(0), isatty(1), isatty(2), size.ws_row, size.ws_col);
	say("foreground %d line mode %d\n", tcgetpgrp(0) == getpgrp(), tcgetattr(0, &modes) == 0 && (modes.c_lflag & ICANON));
	ssize_t length = read(0, line, sizeof(line) - 1);
	line[length > 0 ? length : 0] = 0;
	say("line %s", line);
	return 0;
}
