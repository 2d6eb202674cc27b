/* opened N: opens /dev/zero before it says ready; then N reads of 7 bytes. */
#include "target.h"

int main(int argc, char **argv)
{
	char bytes[7];
	int zero = open("/dev/zero", O_RDONLY);

	ready();
	for (long n = atol(argv[argc - 1]); n > 0; n--)
		must(read(zero, bytes, 7) == 7, "read");
	return 0;
}
