/*
 * error.c - the error body of the distribution specification.
 */
#include "oci/error.h"

#include "oci_int.h"

void
oci_error_json(struct buf *out, const struct err *err)
{
	buf_addz(out, "{\"errors\":[{\"code\":");
	oci_json_text(out, str_of(err_oci_code(err->code)));
	buf_addz(out, ",\"message\":");
	oci_json_text(out, str_of(err->text));
	buf_addz(out, ",\"detail\":null}]}\n");
}
