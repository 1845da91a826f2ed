/*
 * replay.c - runs the files of a corpus through a fuzz target, for builds
 * without libFuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1u << 20)

static int
replay_file(const char *folder, const char *name)
{
	static uint8_t input[INPUT_MAX];
	char path[4096];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		return -1;
	}
	n = fread(input, 1, sizeof(input), f);
	(void)fclose(f);
	(void)LLVMFuzzerTestOneInput(input, n);
	return 0;
}

int
main(int argc, char **argv)
{
	struct dirent *entry;
	unsigned n_files = 0;
	DIR *dir;

	if (argc != 2 || (dir = opendir(argv[1])) == NULL) {
		(void)fprintf(stderr, "use: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay_file(argv[1], entry->d_name) != 0)
			return 1;
		n_files++;
	}
	(void)closedir(dir);
	(void)printf("%u inputs\n", n_files);
	return n_files > 0 ? 0 : 1;
}
