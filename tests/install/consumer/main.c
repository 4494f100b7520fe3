/* The least that a user's program does: it is compiled and linked against an installed Orderly, with shared and static
 * library, and must find its functions there. */
#include <orderly/orderly.h>
#include <orderly/testing.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    struct orderly *member = NULL;
    char order[32] = "";
    int status = 1;

    if (orderly_config_new(&config) != ORDERLY_OK) {
        goto done;
    }
    if (orderly_config_set(config, "kafka.group.id", "consumer", &error) != ORDERLY_OK ||
        orderly_config_set(config, "kafka.bootstrap.servers", "127.0.0.1:1", &error) != ORDERLY_OK ||
        orderly_config_set(config, "topics", "orders", &error) != ORDERLY_OK ||
        orderly_config_set(config, "order", "partition", &error) != ORDERLY_OK ||
        orderly_config_get(config, "order", order, sizeof order) != ORDERLY_OK) {
        goto done;
    }
    if (orderly_new(config, &member, &error) != ORDERLY_OK) {
        goto done;
    }
    if (strcmp(order, "partition") == 0 && strcmp(orderly_strerror(ORDERLY_OK), "ok") == 0) {
        printf("%s over librdkafka %s\n", orderly_version(), orderly_engine_version());
        status = 0;
    }
done:
    if (status != 0) {
        fprintf(stderr, "consumer: %s\n", error.text);
    }
    orderly_free(member);
    orderly_config_free(config);
    return status;
}
