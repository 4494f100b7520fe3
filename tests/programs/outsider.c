/* What others do to a group: outsider --brokers B --group G --join-as TYPE (a group of another protocol type, for 30 s). */
#include <stdio.h>

#include "common/kafka_raw.h"
#include "common/options.h"

int main(int argc, char **argv)
{
    const char *brokers = NULL, *group = NULL, *type = NULL;
    const struct test_option rows[] = {{.name = "brokers", .text = &brokers},
                                       {.name = "group", .text = &group},
                                       {.name = "join-as", .text = &type},
                                       {.name = NULL}};

    test_options(argc, argv, rows);
    if (brokers == NULL || group == NULL || type == NULL) {
        fprintf(stderr, "needs --brokers, --group and --join-as\n");
        return 2;
    }
    return test_join_as(brokers, group, type) ? 0 : 1;
}
