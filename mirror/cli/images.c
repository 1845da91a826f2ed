/*
 * images.c - railhead images: the references in rendered Kubernetes YAML.
 *
 *	kustomize build overlays/eu | railhead images | railhead warm v7 -f -
 */
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/yaml.h"
#include "oci/kube_images.h"

#define INPUT "standard input"

static int
print_images(const struct kube_images *images)
{
	struct kube_image odd;
	size_t n_odd = kube_images_odd(images, &odd);

	if (n_odd > 0)
		fprintf(stderr,
		    "railhead images: " INPUT ":%u: this image is empty or "
		    "has a space in it; %zu such left out\n",
		    odd.line, n_odd);
	for (size_t i = 0; i < kube_images_count(images); i++) {
		struct str reference = kube_images_at(images, i).reference;

		printf("%.*s\n", STR_ARG(reference));
	}
	if (fflush(stdout) != 0)
		return cli_fail(
		    EXIT_NO, "images", "the list could not be written");
	return n_odd > 0 ? EXIT_NO : EXIT_YES;
}

static int
run_images(bool every)
{
	struct kube_images *images = NULL;
	struct yaml_doc *doc;
	struct err err;
	int status = EXIT_NO;

	if (isatty(STDIN_FILENO))
		fprintf(stderr, "railhead images: reading from the terminal\n");
	doc = yaml_stream_read(STDIN_FILENO, INPUT, &err);
	if (doc != NULL)
		images = kube_images_find(doc, every, &err);
	if (images != NULL)
		status = print_images(images);
	else
		(void)cli_fail(EXIT_NO, "images", err.text);
	kube_images_free(images);
	yaml_doc_free(doc);
	return status;
}

int
cli_images(int argc, char **argv)
{
	bool every = false;
	const struct option_row rows[] = {
		{ "all", OPTION_FLAG, &every, NULL,
		    "any text behind a key `image`, for custom resources" },
	};
	const struct option_table table = { "images",
		"Reads rendered Kubernetes YAML (of kustomize, helm, kubectl) "
		"and prints the\nreferences of its images, each once, one a "
		"line, for railhead warm.  Exit status:\n0 done, 1 the YAML "
		"can't be read or an image is odd, 2 wrong use.",
		rows, sizeof(rows) / sizeof(rows[0]) };
	int status;

	if (!cli_options(&table, argc, argv, &status))
		return status;
	return run_images(every);
}
