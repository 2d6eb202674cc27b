/* paths CASE: one openat of a path that is hard to read. */
#include "target.h"

#define PAGE 4096

/* Two pages of which only the first is there; text ends with the first. */
static char *at_page_end(const char *text, size_t length)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(pages + PAGE, PAGE);
	memcpy(pages + PAGE - length, text, length);
	return pages + PAGE - length;
}

/* A page that nothing has read yet: a probe that may not sleep cannot read it at enter, the kernel itself can. */
static char *untouched(const char *text)
{
	int fd = memfd_create("path", 0);

	must(write(fd, text, strlen(text) + 1) > 0, "write");
	return mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
}

static const char *longest(size_t length)
{
	char *path = malloc(length + 1);

	memset(path, '/', length);
	memcpy(path + length - 11, "nonexistent", 11);
	path[length] = 0;
	return path;
}

static const char *path_of(const char *name)
{
	if (!strcmp(name, "plain"))
		return "/nonexistent/plain";
	if (!strcmp(name, "longest"))
		return longest(4095);
	if (!strcmp(name, "overlong"))
		return longest(5000);
	if (!strcmp(name, "bytes"))
		return "/nonexistent/\xff\xfe\x80";
	if (!strcmp(name, "newline"))
		return "/nonexistent/line\nbreak\t\"quoted\"\\";
	if (!strcmp(name, "utf8"))
		return "/nonexistent/\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9d";
	if (!strcmp(name, "empty"))
		return "";
	if (!strcmp(name, "unmapped"))
		return (char *)8;
	if (!strcmp(name, "kernel"))
		return (char *)0xffff888000000000UL;
	if (!strcmp(name, "unended"))
		return at_page_end("/no/end", 7);
	if (!strcmp(name, "edge"))
		return at_page_end("/nonexistent/edge", 18);
	if (!strcmp(name, "untouched"))
		return untouched("/nonexistent/untouched");
	_exit(92);
}

int main(int argc, char **argv)
{
	must(argc == 2, "usage");
	const char *path = path_of(argv[1]);

	ready();
	must(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) == -1, "openat");
	return 0;
}
