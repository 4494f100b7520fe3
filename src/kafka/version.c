/* Which librdkafka runs below. */
#include <librdkafka/rdkafka.h>

#include "orderly/orderly.h"

const char *orderly_engine_version(void)
{
    return rd_kafka_version_str();
}
