/* Headers in JSON. */
#include "daemon/headers.h"

void od_headers_json(struct od_bytes *out, struct orderly_record *record, size_t count)
{
    od_bytes_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        struct orderly_header header = orderly_record_header(record, i);

        od_bytes_text(out, i > 0 ? ",[" : "[");
        od_bytes_json_text(out, header.name);
        od_bytes_byte(out, ',');
        if (header.value.data == NULL) {
            od_bytes_text(out, "null");
        } else if (od_bytes_is_utf8(header.value.data, header.value.size)) {
            od_bytes_json(out, header.value.data, header.value.size);
        } else {
            od_bytes_text(out, "{\"base64\":\"");
            od_bytes_base64(out, header.value.data, header.value.size);
            od_bytes_text(out, "\"}");
        }
        od_bytes_byte(out, ']');
    }
    od_bytes_byte(out, ']');
}
