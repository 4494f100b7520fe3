#include <stdlib.h>
#include <string.h>

#include "base/cm.h"
#include "base/settings.h"

static void fills_in_topic_and_group(void **state)
{
    (void)state;
    char *name = NULL;
    assert_int_equal(od_topic_name("{topic}.{group}.retry", "orders", "billing", &name), ORDERLY_OK);
    assert_string_equal(name, "orders.billing.retry");
    free(name);
    assert_int_equal(od_topic_name("fixed", "orders", "billing", &name), ORDERLY_OK);
    assert_string_equal(name, "fixed");
    free(name);
    /* What was filled in is not filled in again. */
    assert_int_equal(od_topic_name("{topic}", "{group}", "g", &name), ORDERLY_CONFIG);
}

static void refuses_what_kafka_refuses(void **state)
{
    (void)state;
    char *name, topic[300];
    assert_int_equal(od_topic_name("", "t", "g", &name), ORDERLY_CONFIG);
    assert_int_equal(od_topic_name(".", "t", "g", &name), ORDERLY_CONFIG);
    assert_int_equal(od_topic_name("..", "t", "g", &name), ORDERLY_CONFIG);
    assert_int_equal(od_topic_name("{topic}.{group}", "t", "my group", &name), ORDERLY_CONFIG);
    assert_int_equal(od_topic_name("{topic}/{group}", "t", "g", &name), ORDERLY_CONFIG);
    assert_int_equal(od_topic_name("{tpoic}", "t", "g", &name), ORDERLY_CONFIG);
    memset(topic, 'x', sizeof topic);
    topic[250] = '\0';
    assert_int_equal(od_topic_name("{topic}", topic, "g", &name), ORDERLY_CONFIG);
    topic[249] = '\0';
    assert_int_equal(od_topic_name("{topic}", topic, "g", &name), ORDERLY_OK);
    assert_int_equal(strlen(name), 249);
    free(name);
    topic[248] = '\0';
    assert_int_equal(od_topic_name("{topic}.{group}", topic, "g", &name), ORDERLY_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_in_topic_and_group),
        cmocka_unit_test(refuses_what_kafka_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
